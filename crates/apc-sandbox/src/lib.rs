//! An installation of the API to try things on: a GraphQL server on loopback with the API's documented quirks.
//!
//! It shares no type with the client, writes nothing to disk, and listens on no other address. It speaks two lines of
//! releases, [`Line::Today`] and [`Line::Of2020`].
//!
//! The unsafe quirks are there on purpose, because a client has to live with them. Roles are not checked on creation.
//! Deletion, update and the single read go by id alone. An error may come after the work is done. A key whose bindings
//! are gone gets no answer at all. In 2020 keys are masked only where `createdAt` is selected, and labels are looked
//! up in the whole installation. Today permission is judged once per operation and field, lists have no order, and the
//! entity fields of accounts are worthless. Left out are batched requests and GET requests.
//!
//! | module | contents |
//! |---|---|
//! | `line` | the two lines |
//! | `state` | the installation: accounts, places, roles, tokens, seeds, and the rules of every change |
//! | `fault`, `requests`, `snapshot`, `handle` | the view behind the API: faults, the log, accounts as they are, switches |
//! | `graphql` | schemas, resolvers, the words of refusals, the form of answers |
//! | `http` | sockets, pages, and faults as a socket shows them |
//!
//! Modules import only modules above them in this table, and no two import each other.

mod fault;
mod graphql;
mod handle;
mod http;
mod line;
mod requests;
mod snapshot;
mod state;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::graphql::engine::Engine;

pub use fault::{Fault, On};
pub use handle::Handle;
pub use line::{Line, UnknownLine};
pub use requests::Recorded;
pub use snapshot::{AccountSnapshot, BindingSnapshot};
pub use state::account::{Breakage, NewAccount};
pub use state::roles::{Entity, Role};
pub use state::seeds::Persona;
pub use state::store::Store;

/// A running sandbox. Dropping it closes its socket and its connections.
pub struct Sandbox {
    address: SocketAddr,
    handle: Handle,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Serves the default installation of the default line on this port of 127.0.0.1; 0 takes any that is free.
    pub async fn start(port: u16) -> io::Result<Sandbox> {
        Sandbox::start_line(port, Line::default()).await
    }

    /// Serves the default installation of a line.
    pub async fn start_line(port: u16, line: Line) -> io::Result<Sandbox> {
        Sandbox::start_with(port, Store::seeded().line(line)).await
    }

    /// Serves an installation of one's own, of the line that it names.
    pub async fn start_with(port: u16, store: Store) -> io::Result<Sandbox> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let handle = Handle::new(store);
        let engine = Engine::new(handle.clone()).map_err(io::Error::other)?;
        let server = tokio::spawn(http::server::serve(listener, engine));
        Ok(Sandbox {
            address,
            handle,
            server,
        })
    }

    /// The API's URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// A handle to watch it and to let things go wrong.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// A persona's token in the default installation.
    pub fn token(&self, persona: Persona) -> String {
        self.handle.token(persona)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}
