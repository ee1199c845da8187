//! Where the running kernel keeps the fields that the probes read.

use anyhow::{Result, bail};
use profiler_common::{
    control::SPAN,
    fields::{ABSENT, Bits, Field, How, Need, Offsets},
};

use super::fields::{Fields, Location};

/// Where a kernel shows its type information.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Looks up every offset.
///
/// # Errors
///
/// A field that the probes cannot do without is missing: the kernel is older than
/// 6.1, or newer than this program knows. Or a field has another width than the probes read. The
/// message names the field.
pub(super) fn look_up(fields: &Fields) -> Result<Offsets> {
    Offsets::look_up(|field| offset(field, |path| fields.place(field.record, path)))
}

fn offset(field: &Field, find: impl Fn(&str) -> Option<Location>) -> Result<u32> {
    let Field {
        record,
        paths,
        width,
        how,
        need,
    } = *field;
    let found = paths.iter().find_map(|path| Some((*path, find(path)?)));
    let Some((path, place)) = found else {
        if need == Need::Optional {
            return Ok(ABSENT);
        }
        bail!(
            "this kernel has no field {} in struct {record}, which the probes read: it is \
             older than 6.1 or newer than this program knows",
            paths.join(" or ")
        );
    };
    let fits = match how {
        How::Whole => place.width == width,
        How::Low => place.width >= width,
    };
    if !fits {
        bail!(
            "this kernel's field {path} in struct {record} has {} bytes, of which the probes read \
             {width}: it is newer than this program knows; please report this with the kernel's \
             version",
            place.width
        );
    }
    if need == Need::Spanned && place.offset + width > SPAN as u32 {
        bail!(
            "this kernel keeps {path} of struct {record} at {}, past the {SPAN} bytes \
             that the probes copy; please report this with the kernel's version",
            place.offset
        );
    }
    Ok(place.offset)
}

/// Looks up the bits.
///
/// # Errors
///
/// The kernel does not say how it marks a folio of several pages.
pub(super) fn bits(fields: &Fields) -> Result<Bits> {
    let (in_iowait, in_iowait_mask) = fields
        .bit("task_struct", "in_iowait")
        .unwrap_or((ABSENT, 0));
    let [
        head,
        writeback,
        rahead,
        meta,
        throttled,
        bps_throttled,
        io_stat,
    ] = fields.constants(
        &["pageflags", "req_flag_bits", ""],
        [
            "PG_head",
            "PG_writeback",
            "__REQ_RAHEAD",
            "__REQ_META",
            "BIO_THROTTLED",
            "BIO_BPS_THROTTLED",
            "__RQF_IO_STAT",
        ],
    )?;
    let Some(folio_head) = head else {
        bail!("this kernel's type information has no PG_head");
    };
    let mask = |bit: Option<u32>| bit.map_or(0, |bit| 1 << bit);
    Ok(Bits {
        in_iowait,
        in_iowait_mask,
        folio_head,
        folio_writeback: writeback.unwrap_or(ABSENT),
        bio_throttled: mask(throttled) | mask(bps_throttled),
        req_rahead: mask(rahead),
        req_meta: mask(meta),
        request_accounted: io_stat.map_or(ABSENT, |bit| 1 << bit),
    })
}

#[cfg(test)]
mod tests {
    use profiler_common::fields::FIELDS;

    use super::*;

    const FIELD: Field = Field {
        record: "inode",
        paths: &["i_size", "__i_size"],
        width: 8,
        how: How::Whole,
        need: Need::Spanned,
    };

    fn at(offset: u32, width: u32) -> impl Fn(&str) -> Option<Location> {
        move |path| (path == "__i_size").then_some(Location { offset, width })
    }

    #[test]
    fn a_field_of_another_width_is_an_error_that_names_it() {
        assert_eq!(offset(&FIELD, at(80, 8)).expect("it is there"), 80);
        let error = offset(&FIELD, at(80, 4)).unwrap_err().to_string();
        assert!(
            error.contains("__i_size in struct inode has 4 bytes, of which the probes read 8"),
            "{error}"
        );
        let low = Field {
            how: How::Low,
            width: 1,
            ..FIELD
        };
        assert_eq!(offset(&low, at(80, 8)).expect("it is wide enough"), 80);
        let wider = Field { width: 16, ..low };
        assert!(offset(&wider, at(80, 8)).is_err());
    }

    #[test]
    fn only_an_optional_field_may_be_missing() {
        let missing = |_: &str| None;
        let error = offset(&FIELD, missing).unwrap_err().to_string();
        assert!(
            error.contains("i_size or __i_size in struct inode"),
            "{error}"
        );
        let optional = Field {
            need: Need::Optional,
            ..FIELD
        };
        assert_eq!(offset(&optional, missing).expect("ABSENT"), ABSENT);
        assert!(offset(&optional, at(80, 4)).is_err());
    }

    #[test]
    fn what_is_copied_at_once_lies_in_the_span() {
        let span = SPAN as u32;
        assert!(offset(&FIELD, at(span - 8, 8)).is_ok());
        assert!(offset(&FIELD, at(span - 7, 8)).is_err());
    }

    #[test]
    fn each_field_has_an_offset_of_its_own() {
        let mut next = 0;
        let offsets = Offsets::look_up(|_| {
            next += 4;
            Ok::<_, ()>(next)
        });
        let offsets = offsets.expect("no error");
        assert_eq!(next as usize, 4 * FIELDS.len());
        assert_eq!(offsets.task.tid, 4);
        assert_eq!(offsets.regs.number, next);
    }
}
