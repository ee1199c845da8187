//! What the page cache did for each call, held against those who can be asked beforehand.

mod endings;
mod odd;
mod pager;
mod pages;
mod recorded;
