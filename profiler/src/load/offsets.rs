//! Where the running kernel keeps the fields that the probes read.

use anyhow::{Result, bail};
use profiler_common::control::{ABSENT, Offsets, SPAN};

use super::fields::Fields;

/// Where a kernel shows its type information.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Looks up every offset.
///
/// # Errors
///
/// A field that the probes cannot do without is missing: the kernel is older than
/// 6.1, or newer than this program knows. The message names the field.
pub(super) fn look_up(fields: &Fields) -> Result<Offsets> {
    let need = |name: &str, path: &str| match fields.offset(name, path) {
        Some(offset) => Ok(offset),
        None => bail!(
            "this kernel has no field {path} in struct {name}, which the probes read: it is \
             older than 6.1 or newer than this program knows"
        ),
    };
    let may = |name: &str, path: &str| fields.offset(name, path).unwrap_or(ABSENT);
    let spanned = |name: &str, path: &str, size: u32| {
        let offset = need(name, path)?;
        if offset + size > SPAN as u32 {
            bail!(
                "this kernel keeps {path} of struct {name} at {offset}, past the {SPAN} bytes \
                 that the probes copy; please report this with the kernel's version"
            );
        }
        Ok(offset)
    };
    let (iowait, iowait_mask) = fields
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
    let bit = |bit: Option<u32>| bit.map_or(0, |bit| 1 << bit);
    Ok(Offsets {
        task_pid: need("task_struct", "pid")?,
        task_tgid: need("task_struct", "tgid")?,
        task_comm: need("task_struct", "comm")?,
        task_flags: need("task_struct", "flags")?,
        task_files: need("task_struct", "files")?,
        task_min_flt: need("task_struct", "min_flt")?,
        task_maj_flt: need("task_struct", "maj_flt")?,
        task_nvcsw: need("task_struct", "nvcsw")?,
        task_nivcsw: need("task_struct", "nivcsw")?,
        task_syscr: may("task_struct", "ioac.syscr"),
        task_rchar: may("task_struct", "ioac.rchar"),
        task_in_iowait: iowait,
        task_in_iowait_mask: iowait_mask,
        task_status: if cfg!(target_arch = "x86_64") {
            may("task_struct", "thread_info.status")
        } else {
            ABSENT
        },
        files_fdt: need("files_struct", "fdt")?,
        fdt_max_fds: need("fdtable", "max_fds")?,
        fdt_fd: need("fdtable", "fd")?,
        file_inode: spanned("file", "f_inode", 8)?,
        file_mapping: need("file", "f_mapping")?,
        file_flags: spanned("file", "f_flags", 4)?,
        file_pos: spanned("file", "f_pos", 8)?,
        file_dentry: spanned("file", "f_path.dentry", 8)?,
        dentry_name: match fields.offset("dentry", "d_name.name") {
            Some(offset) => offset,
            None => need("dentry", "__d_name.name")?,
        },
        inode_mode: spanned("inode", "i_mode", 2)?,
        inode_sb: spanned("inode", "i_sb", 8)?,
        inode_ino: spanned("inode", "i_ino", 8)?,
        inode_size: spanned("inode", "i_size", 8)?,
        sb_dev: need("super_block", "s_dev")?,
        sb_magic: need("super_block", "s_magic")?,
        mapping_host: need("address_space", "host")?,
        fault_vma: may("vm_fault", "vma"),
        fault_pgoff: may("vm_fault", "pgoff"),
        vma_file: may("vm_area_struct", "vm_file"),
        readahead_state: may("readahead_control", "ra"),
        readahead_pages: may("file_ra_state", "ra_pages"),
        folio_mapping: need("folio", "mapping")?,
        folio_index: need("folio", "index")?,
        folio_flags: need("folio", "flags")?,
        folio_order: match fields.offset("folio", "_folio_order") {
            Some(offset) => offset,
            None => need("folio", "_flags_1")?,
        },
        folio_head_bit: match head {
            Some(bit) => bit,
            None => bail!("this kernel's type information has no PG_head"),
        },
        folio_writeback_bit: writeback.unwrap_or(ABSENT),
        page_mapping: need("page", "mapping")?,
        page_compound_head: match fields.offset("page", "compound_head") {
            Some(offset) => offset,
            // Since 7.3, when it became a mask in some configurations.
            None => need("page", "compound_info")?,
        },
        bio_opf: need("bio", "bi_opf")?,
        bio_flags: need("bio", "bi_flags")?,
        bio_size: need("bio", "bi_iter.bi_size")?,
        bio_io_vec: need("bio", "bi_io_vec")?,
        bvec_page: need("bio_vec", "bv_page")?,
        bio_throttled_mask: bit(throttled) | bit(bps_throttled),
        req_rahead: bit(rahead),
        req_meta: bit(meta),
        request_cmd_flags: need("request", "cmd_flags")?,
        request_rq_flags: need("request", "rq_flags")?,
        request_sector: need("request", "__sector")?,
        request_bio: need("request", "bio")?,
        request_part: need("request", "part")?,
        request_start_ns: may("request", "start_time_ns"),
        request_accounted_mask: io_stat.map_or(ABSENT, |bit| 1 << bit),
        bdev_dev: need("block_device", "bd_dev")?,
        regs_arg0: argument(fields, 0)?,
        regs_arg1: argument(fields, 1)?,
        regs_arg2: argument(fields, 2)?,
        regs_arg3: argument(fields, 3)?,
        regs_number: match fields.offset("pt_regs", "orig_ax") {
            Some(offset) => offset,
            None => need("pt_regs", "syscallno")?,
        },
    })
}

/// Where a system call's argument lies in `struct pt_regs` at its entry.
fn argument(fields: &Fields, n: u32) -> Result<u32> {
    let offset = if cfg!(target_arch = "x86_64") {
        fields.offset("pt_regs", ["di", "si", "dx", "r10"][n as usize])
    } else if cfg!(target_arch = "aarch64") {
        fields.offset("pt_regs", "regs").map(|base| base + 8 * n)
    } else {
        None
    };
    match offset {
        Some(offset) => Ok(offset),
        None => bail!("this program knows the system calls of x86_64 and aarch64 only"),
    }
}
