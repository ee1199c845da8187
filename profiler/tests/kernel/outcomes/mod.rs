//! What the page cache did for each call, held against those who can be asked beforehand.

mod endings;
pub(crate) mod odd;
pub(crate) mod pager;
mod pages;
pub(crate) mod recorded;
