//! Real gateway processes under load.
//!
//! The same requests, byte for byte, go to an origin, to a gateway that is switched off in front of it, and to gateways
//! that enforce, in turns. Clients, origin and gateways share one machine, so requests per second say how the machine
//! divides them; the CPU time of the gateway's process says what a request costs.
//!
//! Reading order: [`compare()`] (the run), `subject` (what takes its turn), `report` (what is printed);
//! [`compare_hosts`] (few sites and many); then `gateway`, `client`, `responder` and `usage`, which know nothing of each
//! other.

mod client;
mod compare;
mod gateway;
mod hosts;
mod report;
mod responder;
mod subject;
mod usage;

pub use compare::{Plan, compare};
pub use hosts::{HostsPlan, HostsReport, compare_hosts};
pub use report::Report;
