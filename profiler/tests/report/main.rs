//! The report as a contract, and as text for people.

mod calls;
mod causes;
mod contract;
mod golden;
mod sample;
mod world;
