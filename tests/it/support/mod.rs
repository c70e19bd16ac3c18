//! Code that tests share: the executable as a client drives it, clients that can ask their user, a stand-in for the
//! network before the API, the contract in tools/, and logins of the astro CLI.

pub mod clients;
pub mod contract;
pub mod harness;
pub mod installation;
pub mod standin;
#[cfg(unix)]
pub mod terminal;
