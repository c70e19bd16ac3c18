//! The proxy on the way to an API: which one applies to a URL. Reads no variable; the settings hand them in.

use std::net::Ipv4Addr;

use hyper_util::client::proxy::matcher::Matcher;

use super::installation::ApiUrl;
use crate::guards::secret::Secret;

/// The proxy variables that count for https.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// The variable that names a proxy.
    pub proxy: Option<ProxyVariable>,
    /// The hosts that are reached without one, as the variable lists them.
    pub no_proxy: Option<String>,
}

/// A variable that names a proxy.
#[derive(Debug, Clone)]
pub struct ProxyVariable {
    /// The name of the variable.
    pub name: &'static str,
    /// The proxy, or the reason why it cannot be used, as it follows the name of the variable.
    pub address: Result<ProxyAddress, String>,
}

/// The address of a proxy.
#[derive(Debug, Clone)]
pub struct ProxyAddress {
    /// The whole URL. It may hold a login.
    pub url: Secret,
    /// Scheme, host and port; of what looks like a token, the scheme alone.
    pub shown: String,
}

/// The way to a URL.
#[derive(Debug, Clone, Copy)]
pub enum Route<'a> {
    /// Without a proxy.
    Direct,
    /// As the system's own configuration has it.
    System,
    /// Through the proxy of a variable.
    Through(&'a ProxyVariable),
}

impl Proxies {
    /// The way to a URL. This machine is always reached directly.
    pub fn route(&self, url: &ApiUrl) -> Route<'_> {
        let listed = self.no_proxy.as_deref().unwrap_or_default();
        if url.is_loopback() || is_listed(url, listed) {
            return Route::Direct;
        }
        self.proxy.as_ref().map_or(Route::System, Route::Through)
    }
}

/// Tells if a list of hosts has the host of a URL.
fn is_listed(url: &ApiUrl, list: &str) -> bool {
    let entries = list.split(|letter: char| letter.is_whitespace() || ",;".contains(letter));
    let entries = entries.filter_map(|entry| host_of(entry, url.port()));
    let entries: Vec<_> = entries.collect();
    // The matcher knows about ends of names, addresses and networks.
    let all = Matcher::builder().all("http://proxy").no(entries.join(","));
    let target = url.as_str().parse();
    target.is_ok_and(|target| all.build().intercept(&target).is_none())
}

/// The host, address or network of an entry, in the form that the matcher knows; none where it is for another port.
fn host_of(entry: &str, port: u16) -> Option<String> {
    let entry = entry.trim_matches(['"', '\'']);
    let entry = match entry.split_once("://") {
        Some((_, host)) => host.split('/').next().unwrap_or(host),
        None => entry.trim_end_matches('/'),
    };
    let host = match entry.rsplit_once(':') {
        Some((host, own)) if !host.contains(':') || host.ends_with(']') => {
            (own == "*" || own.parse() == Ok(port)).then_some(host)?
        }
        _ => entry,
    };
    let host = host.trim_matches(['[', ']']);
    if host == "*" {
        return Some(host.to_owned());
    }
    let host = network(host).unwrap_or_else(|| host.trim_end_matches('.').to_owned());
    let name = host.trim_start_matches('*');
    (!name.trim_matches('.').is_empty()).then(|| name.to_owned())
}

/// The usual form of an IPv4 network: of `10.*`, `10.`, `10/8` and `10.0.0.0/255.0.0.0` it is `10.0.0.0/8`.
fn network(entry: &str) -> Option<String> {
    let (address, size) = entry.split_once('/').unwrap_or((entry, ""));
    let given = address.trim_end_matches(['.', '*']);
    let numbers: Result<Vec<u8>, _> = given.split('.').map(str::parse).collect();
    let numbers = numbers.ok()?;
    let missing = 4_usize.checked_sub(numbers.len())?;
    let bits = match entry.contains('/') {
        true => prefix(size)?,
        false if given.len() < address.len() => u32::try_from(numbers.len() * 8).ok()?,
        false => return None,
    };
    let zeros = ".0".repeat(missing);
    Some(format!("{given}{zeros}/{bits}"))
}

/// The number of leading bits, from itself or from a mask such as `255.0.0.0`.
fn prefix(size: &str) -> Option<u32> {
    match size.parse::<Ipv4Addr>() {
        Ok(mask) => {
            let mask = u32::from(mask);
            (mask.leading_ones() + mask.trailing_zeros() == 32).then(|| mask.leading_ones())
        }
        Err(_) => size.parse().ok().filter(|bits| *bits <= 32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(list: &str, url: &str) -> bool {
        is_listed(&ApiUrl::parse(url).unwrap(), list)
    }

    #[test]
    fn a_host_is_listed_in_every_form_that_people_write() {
        for list in [
            "houston.acme.dev",
            "HOUSTON.acme.dev",
            "acme.dev",
            ".acme.dev",
            "*.acme.dev",
            "*acme.dev",
            "*",
            "acme.dev.",
            "acme.dev:443",
            ".acme.dev:443",
            "*.acme.dev:443",
            "acme.dev:*",
            "https://houston.acme.dev",
            "https://houston.acme.dev:443/v1",
            "acme.dev/",
            "localhost acme.dev",
            "localhost, acme.dev",
            "localhost , acme.dev ,",
            "localhost;acme.dev",
            "\"localhost,acme.dev\"",
            "'acme.dev'",
            "\tacme.dev\n",
        ] {
            assert!(lists(list, "https://houston.acme.dev/v1"), "{list}");
        }
    }

    #[test]
    fn another_host_or_port_is_not_listed() {
        for list in [
            "",
            ",",
            " ",
            ".",
            "*.",
            "dev2",
            "cme.dev",
            "acme.dev:8443",
            "*.acme.dev:80",
            "houston",
            "x.houston.acme.dev",
            "10.0.0.0/8",
            "10.*",
            ":443",
        ] {
            assert!(!lists(list, "https://houston.acme.dev/v1"), "{list}");
        }
    }

    #[test]
    fn a_network_is_listed_in_every_form_that_people_write() {
        for list in [
            "10.1.2.3",
            "10.1.2.3:443",
            "10.0.0.0/8",
            "10.9.9.9/8",
            "10.0.0.0/255.0.0.0",
            "10/8",
            "10.1/16",
            "10.*",
            "10.*.*.*",
            "10.1.2.*",
            "10.",
            "0.0.0.0/0",
        ] {
            assert!(lists(list, "https://10.1.2.3/v1"), "{list}");
        }
        for list in [
            "10",
            "10.1.2.4",
            "11.0.0.0/8",
            "10.2.*",
            "10.0.0.0/33",
            "10.0.0.0/255.0.255.0",
            "10.1.2.3:80",
        ] {
            assert!(!lists(list, "https://10.1.2.3/v1"), "{list}");
        }
        for list in ["fd00::1", "[fd00::1]", "[fd00::1]:443", "fd00::/8"] {
            assert!(lists(list, "https://[fd00::1]/v1"), "{list}");
        }
        assert!(!lists("[fd00::1]:80", "https://[fd00::1]/v1"));
    }

    #[test]
    fn this_machine_needs_no_proxy() {
        let name = "HTTPS_PROXY";
        let address = Err("is broken".to_owned());
        let proxies = Proxies {
            proxy: Some(ProxyVariable { name, address }),
            no_proxy: None,
        };
        let route = |url: &str| format!("{:?}", proxies.route(&ApiUrl::parse(url).unwrap()));
        assert_eq!(route("https://localhost/v1"), "Direct");
        assert_eq!(route("http://127.0.0.1:1/v1"), "Direct");
        assert!(route("https://houston.acme.dev/v1").starts_with("Through"));
    }
}
