//! A value for each cause.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::blame::Cause;
use crate::named::{Named as _, names};
use crate::report::sums::sum;

/// Of the schema; the fields are described by the causes' table.
const ABOUT: &str = "\
A value for each cause, in the order in which causes are shown.

`null` for a cause whose hooks are missing: its time is then in `unexplained`
(or, for `throttle`, wherever the rest of the evidence points).";

/// A value for each cause: an object with a field for each, in the order of [`Cause::ALL`].
///
/// A cause that [needs hooks](Cause::needs_hooks) may have none, which is null. Any other always
/// has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blame<T>([Option<T>; Cause::ALL.len()]);

impl<T: Copy + Default> Blame<T> {
    /// A value for each cause, from a function of the cause. Of a cause that always has a value,
    /// `None` becomes the type's default.
    pub fn from_fn(mut value: impl FnMut(Cause) -> Option<T>) -> Self {
        let mut blame = Self([None; Cause::ALL.len()]);
        for cause in Cause::ALL {
            blame.set(cause, value(cause));
        }
        blame
    }

    /// The value of a cause; `None` where it is not known.
    pub fn get(&self, cause: Cause) -> Option<T> {
        self.0[cause as usize]
    }

    /// The value of a cause; the type's default, which is 0, where it is not known.
    pub fn or_zero(&self, cause: Cause) -> T {
        self.get(cause).unwrap_or_default()
    }

    /// Puts another value in place of a cause's. Of a cause that always has one, `None` becomes
    /// the type's default.
    pub fn set(&mut self, cause: Cause, value: Option<T>) {
        self.0[cause as usize] = match value {
            None if !cause.needs_hooks() => Some(T::default()),
            value => value,
        };
    }

    /// Every cause with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, Option<T>)> + '_ {
        Cause::ALL.into_iter().map(|cause| (cause, self.get(cause)))
    }
}

impl<T: Copy + Default> Default for Blame<T> {
    fn default() -> Self {
        Self::from_fn(|_| None)
    }
}

impl Blame<u64> {
    /// Sum over all causes that are known.
    pub fn total(&self) -> u64 {
        sum(self.iter().filter_map(|(_, ns)| ns))
    }
}

impl<T: Copy + Default + Serialize> Serialize for Blame<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Cause::ALL.len()))?;
        for (cause, value) in self.iter() {
            map.serialize_entry(cause.name(), &value)?;
        }
        map.end()
    }
}

impl<'de, T: Copy + Default + Deserialize<'de>> Deserialize<'de> for Blame<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Copy + Default + Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Blame<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a value for each cause")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Blame<T>, A::Error> {
        let mut read: [Option<Option<T>>; Cause::ALL.len()] = [None; Cause::ALL.len()];
        while let Some(name) = map.next_key::<String>()? {
            // A cause of a newer version.
            let Some(cause) = Cause::by_name(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = if cause.needs_hooks() {
                map.next_value()?
            } else {
                Some(map.next_value()?)
            };
            if read[cause as usize].replace(value).is_some() {
                return Err(A::Error::duplicate_field(cause.name()));
            }
        }
        let always = Cause::ALL.into_iter().filter(|it| !it.needs_hooks());
        if let Some(missing) = always.into_iter().find(|it| read[*it as usize].is_none()) {
            return Err(A::Error::missing_field(missing.name()));
        }
        // Of the others, an older version did not know this one.
        Ok(Blame::from_fn(|cause| read[cause as usize].flatten()))
    }
}

impl<T: JsonSchema> JsonSchema for Blame<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Blame_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = Cause::ALL.into_iter().map(|cause| {
            let mut field = if cause.needs_hooks() {
                generator.subschema_for::<Option<T>>()
            } else {
                generator.subschema_for::<T>()
            };
            field.insert("description".to_owned(), cause.is().into());
            (cause.name().to_owned(), field.to_value())
        });
        let fields: Map<String, Value> = fields.collect();
        json_schema!({
            "type": "object",
            "properties": fields,
            "required": names::<Cause>(),
            "description": ABOUT,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_reports_lack_is_null() {
        // These are in every report. A cause that is added may be null.
        let always = Cause::ALL.into_iter().filter(|it| !it.needs_hooks());
        let always: Vec<&str> = always.map(Cause::name).collect();
        assert_eq!(
            always,
            [
                "cpu",
                "preempted",
                "runqueue",
                "server",
                "peer",
                "unexplained"
            ]
        );
        let old = r#"{"cpu":1,"preempted":2,"runqueue":3,"server":4,"peer":5,"unexplained":6}"#;
        let blame: Blame<u64> = serde_json::from_str(old).unwrap();
        assert_eq!(blame.total(), 21);
        assert_eq!(blame.get(Cause::Lock), None);
    }

    #[test]
    fn what_every_report_has_is_not_null() {
        let whole = serde_json::to_value(Blame::<u64>::default()).unwrap();
        for cause in Cause::ALL {
            for is_there in [true, false] {
                let mut broken = whole.clone();
                let fields = broken.as_object_mut().unwrap();
                if is_there {
                    fields.insert(cause.name().to_owned(), Value::Null);
                } else {
                    fields.remove(cause.name());
                }
                let read = serde_json::from_value::<Blame<u64>>(broken);
                assert_eq!(read.is_ok(), cause.needs_hooks(), "{cause}");
            }
        }
    }

    #[test]
    fn a_cause_of_a_newer_version_is_left_out() {
        let mut newer = serde_json::to_value(Blame::from_fn(|_| Some(7_u64))).unwrap();
        newer["weather"] = Value::from(1);
        let blame: Blame<u64> = serde_json::from_value(newer).unwrap();
        assert_eq!(blame, Blame::from_fn(|_| Some(7)));
    }

    #[test]
    fn a_cause_that_is_there_twice_is_an_error() {
        let twice = r#"{"cpu":1,"cpu":2}"#;
        let error = serde_json::from_str::<Blame<u64>>(twice).unwrap_err();
        assert!(
            error.to_string().contains("duplicate field `cpu`"),
            "{error}"
        );
    }
}
