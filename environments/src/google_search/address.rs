//! Where pages may be fetched from: the public internet, and what the lists of the configuration say.
//!
//! A model chooses the URLs, and pages choose redirects, so both are hostile. What is refused:
//!
//! - whatever is neither http nor https;
//! - every address that is not globally reachable by the special-purpose registries of IANA (RFC 6890
//!   and its updates): this host, private and shared (carrier-grade NAT) networks, link-local ones with
//!   the metadata services of clouds, unique-local, multicast, reserved and documentation ranges;
//! - the same inside of IPv6: mapped, compatible, NAT64 (RFC 6052), 6to4, ISATAP; Teredo altogether.
//!
//! [`Guard::check_address`] is asked by the resolver that the HTTP client connects through
//! (`fetch/resolver.rs`), so the address that was checked is the one that is connected to, and a name
//! that changes its mind between a check and a connection gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use reqwest::Url;
use serde::{Deserialize, Deserializer};
use url::Host;

/// An entry of a list: a host with all below it, or a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `example.org`, which stands for `www.example.org` too.
    Host(String),
    /// `10.1.0.0/16`, or one address.
    Network(IpNet),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let address = text.trim_matches(['[', ']']).parse::<IpAddr>();
        if let Ok(address) = address {
            return Ok(Self::Network(address.into()));
        }
        match Host::parse(text.trim_start_matches("*.").trim_matches('.')) {
            Ok(Host::Domain(name)) if !name.contains([':', '*']) => Ok(Self::Host(name)),
            _ => Err(format!(
                "`{text}` is neither a host, such as `example.org`, nor a network, such as \
                 `10.1.0.0/16`"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Place {
    fn holds(&self, host: &str, address: Option<IpAddr>) -> bool {
        match self {
            Self::Host(name) => {
                let rest = host.trim_end_matches('.').strip_suffix(name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Self::Network(network) => address.is_some_and(|address| {
                network.contains(&address) || network.contains(&address.to_canonical())
            }),
        }
    }
}

/// Why a page is not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Neither http nor https.
    #[error("only pages of http and https can be read")]
    Scheme,
    /// The address is none of the public internet. Which one it is would tell about our network.
    #[error("this address is not on the public internet and cannot be read")]
    Private,
    /// It is on the deny-list.
    #[error("this site cannot be read")]
    Denied,
    /// It is not on the list of what alone may be read.
    #[error("this site is not among those that can be read")]
    NotListed,
}

impl Refusal {
    /// Its name in the metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::Private => "private",
            Self::Denied => "denied",
            Self::NotListed => "not_listed",
        }
    }
}

/// The lists, and the rule for all else.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    /// May be fetched although it is not public.
    pub(crate) allow: Vec<Place>,
    /// Is never fetched.
    pub(crate) deny: Vec<Place>,
    /// If there are any, nothing else is fetched.
    pub(crate) only: Vec<Place>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// What can be said before a name is resolved. Hosts that are addresses are never resolved, so
    /// they are judged here.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme);
        }
        match url.host().ok_or(Refusal::Scheme)? {
            Host::Domain(name) => self.check_name(name),
            Host::Ipv4(address) => self.check_address(&address.to_string(), address.into()),
            Host::Ipv6(address) => self.check_address(&address.to_string(), address.into()),
        }
    }

    /// A name that is denied, or listed nowhere, is not even looked up: that would tell who asks.
    fn check_name(&self, host: &str) -> Result<(), Refusal> {
        if holds(&self.deny, host, None) {
            return Err(Refusal::Denied);
        }
        let may_be_listed = self.only.is_empty()
            || holds(&self.only, host, None)
            || self.only.iter().any(|place| matches!(place, Place::Network(_)));
        if may_be_listed { Ok(()) } else { Err(Refusal::NotListed) }
    }

    /// Whether that host may be connected to at that address.
    pub(crate) fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Refusal> {
        if holds(&self.deny, host, Some(address)) {
            return Err(Refusal::Denied);
        }
        if !self.only.is_empty() && !holds(&self.only, host, Some(address)) {
            return Err(Refusal::NotListed);
        }
        let may = is_public(address) || holds(&self.allow, host, Some(address));
        if may { Ok(()) } else { Err(Refusal::Private) }
    }
}

fn holds(list: &[Place], host: &str, address: Option<IpAddr>) -> bool {
    list.iter().any(|place| place.holds(host, address))
}

/// Whether an address belongs to the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

/// Networks of IPv4 that are not public, as address and length of the prefix.
const RESERVED: [(Ipv4Addr, u8); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Azure's platform, which answers like a metadata service, at an address that looks public.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let is_in = |(network, length): &(Ipv4Addr, u8)| {
        let mask = u32::MAX << (32 - length);
        bits & mask == network.to_bits()
    };
    !RESERVED.iter().any(is_in)
}

/// Of IPv6 only the global unicast range is public, and of that not what is set aside for protocols
/// (Teredo among them) and for documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_set_aside = first == 0x2001 && second < 0x0200;
    let is_documentation = (first == 0x2001 && second == 0x0db8) || first & 0xfff0 == 0x3ff0;
    is_global && !is_set_aside && !is_documentation
}

/// The address of IPv4 that an address of IPv6 stands for, if it stands for one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    let is_mapped_or_compatible = [a, b, c, d, e] == [0; 5] && matches!(f, 0 | 0xffff);
    let is_nat64 = [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0];
    let is_isatap = matches!(e, 0 | 0x200) && f == 0x5efe;
    if is_mapped_or_compatible || is_nat64 {
        return Some(of(g, h));
    }
    if a == 0x2002 {
        return Some(of(b, c));
    }
    is_isatap.then(|| of(g, h))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(allow: &[&str], deny: &[&str], only: &[&str]) -> Guard {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Guard { allow: list(allow), deny: list(deny), only: list(only) }
    }

    fn check(guard: &Guard, url: &str) -> Result<(), Refusal> {
        guard.check_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn addresses_behind_us_are_not_public_in_whatever_clothes() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2600::5efe:10.0.0.1",
            "2600::200:5efe:c0a8:101",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            let refused = Guard::default().check_address("a.example", address);
            assert_eq!(refused, Err(Refusal::Private), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public_in_whatever_clothes() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(Guard::default().check_address("a.example", address), Ok(()), "{address}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_seen_through_every_way_to_write_it() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0x0.0x0.0x1",
            "0177.0.0.1",
            "127.0.0.1.",
            "①②⑦.0.0.1",
            "%31%32%37.0.0.1",
            "user:pass@127.0.0.1",
            "[::1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:ffff:127.0.0.1]",
        ] {
            let refused = check(&Guard::default(), &format!("http://{host}:8080/x"));
            assert_eq!(refused, Err(Refusal::Private), "{host}");
        }
    }

    #[test]
    fn only_http_and_https_are_read() {
        for url in ["ftp://a.example/", "file:///etc/passwd", "data:text/html,x", "localhost:80"] {
            assert_eq!(check(&Guard::default(), url), Err(Refusal::Scheme), "{url}");
        }
        for url in ["http://a.example/", "HTTPS://a.example:8443/x"] {
            assert_eq!(check(&Guard::default(), url), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_is_allowed_may_be_private_and_what_is_denied_may_not_be_read_at_all() {
        let guard = guard(
            &["127.0.0.1", "10.1.0.0/16", "wiki.corp.example"],
            &["10.1.2.0/24", "evil.example", "8.8.0.0/16"],
            &[],
        );
        let address = |host: &str, address: &str| {
            guard.check_address(host, address.parse::<IpAddr>().unwrap())
        };
        assert_eq!(address("x.example", "127.0.0.1"), Ok(()));
        assert_eq!(address("x.example", "::ffff:127.0.0.1"), Ok(()));
        assert_eq!(address("x.example", "127.0.0.2"), Err(Refusal::Private));
        assert_eq!(address("x.example", "10.1.3.4"), Ok(()));
        assert_eq!(address("x.example", "10.1.2.3"), Err(Refusal::Denied));
        assert_eq!(address("x.example", "8.8.8.8"), Err(Refusal::Denied));
        assert_eq!(address("x.example", "::ffff:8.8.8.8"), Err(Refusal::Denied));
        assert_eq!(address("wiki.corp.example", "192.168.0.9"), Ok(()));
        assert_eq!(address("a.wiki.corp.example", "192.168.0.9"), Ok(()));
        assert_eq!(address("awiki.corp.example", "192.168.0.9"), Err(Refusal::Private));
        for host in ["evil.example", "EVIL.example.", "a.evil.example"] {
            assert_eq!(check(&guard, &format!("http://{host}/")), Err(Refusal::Denied), "{host}");
        }
        assert_eq!(check(&guard, "http://notevil.example/"), Ok(()));
    }

    #[test]
    fn a_list_of_what_alone_may_be_read_leaves_out_all_else_and_allows_nothing_private() {
        let names = guard(&[], &[], &["example.org"]);
        assert_eq!(check(&names, "http://en.example.org/"), Ok(()));
        assert_eq!(check(&names, "http://example.com/"), Err(Refusal::NotListed));
        assert_eq!(check(&names, "http://8.8.8.8/"), Err(Refusal::NotListed));
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(names.check_address("example.org", address), Err(Refusal::Private));
        let networks = guard(&[], &[], &["8.8.0.0/16"]);
        assert_eq!(check(&networks, "http://example.com/"), Ok(()), "it has to be looked up");
        let elsewhere = "1.1.1.1".parse().unwrap();
        assert_eq!(networks.check_address("example.com", elsewhere), Err(Refusal::NotListed));
    }

    #[test]
    fn what_is_no_place_is_an_error() {
        for text in ["", "http://a.example", "a b", "10.0.0.0/33", "a.example/x", "a.example:80"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        let expected = Place::Host("xn--bcher-kva.example".to_owned());
        assert_eq!("*.Bücher.example.".parse::<Place>(), Ok(expected));
    }

    proptest! {
        #[test]
        fn an_embedded_address_is_as_public_as_itself(bits in any::<u32>()) {
            let inner = Ipv4Addr::from_bits(bits);
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            for outer in [
                inner.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(is_public(outer.into()), is_public_v4(inner), "{} {}", outer, inner);
            }
        }

        #[test]
        fn no_private_address_is_public(host in any::<u32>(), network in 0..RESERVED.len()) {
            let (network, length) = RESERVED[network];
            let bits = network.to_bits() | (host & u32::MAX.checked_shr(length.into()).unwrap_or(0));
            prop_assert!(!is_public_v4(Ipv4Addr::from_bits(bits)));
        }
    }
}
