//! Report → output: one format a file. Pure, and computes nothing: what a renderer
//! shows, the report has. It lays out, shortens and colours.

pub mod json;
mod sanitize;
pub mod text;

pub use sanitize::sanitize;
