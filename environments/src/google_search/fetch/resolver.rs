//! Finds the addresses of a host and leaves out those that may not be connected to.
//!
//! Invariant: the HTTP client connects to nothing but what this returns, so no address is connected to
//! that was not checked, however often a name changes. (Hosts that are addresses do not come by here;
//! `Guard::check_url` judges them.)

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::super::address::Guard;

/// Finds the addresses of a host.
pub(crate) type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The resolver of the HTTP client.
pub(super) struct GuardedResolver {
    guard: Arc<Guard>,
    lookup: Lookup,
}

impl GuardedResolver {
    pub(super) fn new(guard: Guard, lookup: Lookup) -> Self {
        Self { guard: Arc::new(guard), lookup }
    }

    /// One that asks the system.
    pub(super) fn of_system(guard: Guard) -> Self {
        let lookup: Lookup = Arc::new(|host| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
        });
        Self::new(guard, lookup)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, lookup) = (self.guard.clone(), self.lookup.clone());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = lookup(host.clone()).await?;
            let mut refusal = None;
            let mut reachable = Vec::new();
            for address in found {
                match guard.check_address(&host, address.ip()) {
                    Ok(()) => reachable.push(address),
                    Err(refused) => refusal = Some(refused),
                }
            }
            match refusal {
                Some(refusal) if reachable.is_empty() => Err(refusal.into()),
                _ => Ok(Box::new(reachable.into_iter()) as Addrs),
            }
        })
    }
}
