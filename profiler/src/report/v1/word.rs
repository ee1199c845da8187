//! A word of the report that comes from a closed set.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

use crate::named::Named;

/// A word from a set that grows: one of those that this version knows, or another one, as it
/// came. A newer version wrote that, or somebody who means harm: whoever shows it has to
/// sanitize it.
///
/// The default is the empty word: nobody said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word<T> {
    /// A word of this version.
    Known(T),
    /// Any other.
    Other(String),
}

impl<T: Named> Word<T> {
    /// The word as it was read, known or not.
    pub fn from_text(text: &str) -> Self {
        T::by_name(text).map_or_else(|| Self::Other(text.to_owned()), Self::Known)
    }

    /// The word as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.name(),
            Self::Other(other) => other,
        }
    }

    /// What it stands for; `None`: this version does not know it.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(known) => Some(*known),
            Self::Other(_) => None,
        }
    }

    /// Whether this version knows it.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

impl<T> Default for Word<T> {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl<T: Named> From<T> for Word<T> {
    fn from(known: T) -> Self {
        Self::Known(known)
    }
}

impl<T: Named> PartialEq<T> for Word<T> {
    fn eq(&self, other: &T) -> bool {
        self.known() == Some(*other)
    }
}

impl<T: Named> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<T: Named> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(std::marker::PhantomData<T>);
        impl<T: Named> Visitor<'_> for Text<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word<T>, E> {
                Ok(Word::from_text(text))
            }
        }
        deserializer.deserialize_str(Text(std::marker::PhantomData))
    }
}

/// Any string. A field whose words are complete in every version lists them itself.
impl<T> JsonSchema for Word<T> {
    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        String::schema_id()
    }

    fn inline_schema() -> bool {
        String::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::v1::{CallKind, Hidden, OwnerKind, Style, WitnessName};
    use crate::{
        blame::{Cause, IoKind, Outcome},
        load::EntryKind,
        workload,
    };

    fn come_back<T: Named + fmt::Debug>() {
        assert!(!T::ALL.is_empty());
        for (at, &known) in T::ALL.iter().enumerate() {
            let others = T::ALL.iter().skip(at + 1);
            assert!(others.clone().all(|other| other.name() != known.name()));
            let json = serde_json::to_string(&Word::from(known)).unwrap();
            assert_eq!(json, format!("{:?}", known.name()));
            assert_eq!(serde_json::from_str::<Word<T>>(&json).unwrap(), known);
        }
        for other in ["", "\u{1b}[31mweather", "Größe"] {
            let json = serde_json::to_string(other).unwrap();
            let word: Word<T> = serde_json::from_str(&json).unwrap();
            assert_eq!(word, Word::Other(other.to_owned()));
            assert_eq!(serde_json::to_string(&word).unwrap(), json);
        }
        assert!(serde_json::from_str::<Word<T>>("null").is_err());
    }

    #[test]
    fn words_come_back_known_or_not() {
        come_back::<Cause>();
        come_back::<Outcome>();
        come_back::<IoKind>();
        come_back::<OwnerKind>();
        come_back::<CallKind>();
        come_back::<Style>();
        come_back::<Hidden>();
        come_back::<EntryKind>();
        come_back::<WitnessName>();
        come_back::<workload::Pattern>();
        come_back::<workload::Advice>();
        come_back::<workload::State>();
    }
}
