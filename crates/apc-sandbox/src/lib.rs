//! An installation of the API to try things on: a GraphQL server on loopback with the API's documented quirks.
//! Shares no type with the client, writes nothing to disk, and listens on no other address.
//!
//! The unsafe quirks are there on purpose, because a client has to live with them: roles are not checked on
//! creation, deletion and the single read go by id alone, keys are masked only where `createdAt` is selected,
//! `workspaceUuid` is always null, and an error may come after the work is done. Left out are batched requests,
//! GET requests and the endless wait of a key whose workspace is gone.
//!
//! | room | what for |
//! |---|---|
//! | `http` | sockets, statuses, pages, and going wrong on demand |
//! | `document`, `validation` | what a document asks and what came of it; why the API would not run it |
//! | `operations`, `schema` | queries and mutations; the types they answer with |
//! | `store`, `seeds` | state and its rules; the default installation |
//! | `sessions`, `roles`, `refusal`, `ids` | who calls; who may what; the words of no; ids, keys and tokens |
//! | `handle`, `fault` | looking behind the curtain; what shall go wrong |

mod document;
mod fault;
mod handle;
mod http;
mod ids;
mod operations;
mod refusal;
mod roles;
mod schema;
mod seeds;
mod sessions;
mod store;
mod validation;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use fault::{Fault, On};
pub use handle::{AccountSnapshot, Handle, Recorded};
pub use roles::{Entity, Role};
pub use seeds::Persona;
pub use store::{NewAccount, Store};

/// A running sandbox. Dropping it closes its socket and its connections.
pub struct Sandbox {
    address: SocketAddr,
    handle: Handle,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Serves the default installation on this port of 127.0.0.1; 0 takes any that is free.
    pub async fn start(port: u16) -> io::Result<Sandbox> {
        Sandbox::start_with(port, Store::seeded()).await
    }

    /// Serves an installation of one's own.
    pub async fn start_with(port: u16, store: Store) -> io::Result<Sandbox> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let handle = Handle::new(store);
        let server = tokio::spawn(http::serve(listener, handle.clone()));
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

    /// To watch it and to let things go wrong.
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
