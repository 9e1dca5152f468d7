//! Parameters as forms of ours and OAuth send them: in a query, or in a form (RFC 6749 appendix B).

use axum::body::Body;

use super::bytes;
use crate::reply::Refusal;

/// Most parameters of a request. No request of OAuth has half as many.
const PARAMETERS_MAX: usize = 64;

/// The parameters of one request, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// More parameters than any request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// A parameter that came more than once (RFC 6749 §3.1 forbids it: two readers could take two values).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

impl Parameters {
    /// Reads what a query or a form says. What is not UTF-8 is read with replacement characters, and is equal to nothing.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, TooMany> {
        let pairs = url::form_urlencoded::parse(text).take(PARAMETERS_MAX + 1);
        let all: Vec<_> = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        if all.len() > PARAMETERS_MAX { Err(TooMany) } else { Ok(Self(all)) }
    }

    /// Reads the body of a form.
    pub(crate) async fn of_form(body: Body) -> Result<Self, Refusal> {
        Self::parse(&bytes(body).await?).map_err(|TooMany| Refusal::Invalid("there are more than 64 parameters"))
    }

    /// The value of a parameter. One without a value counts as left out (RFC 6749 §3.1).
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() { Err(Repeated) } else { Ok(value.filter(|value| !value.is_empty())) }
    }

    /// What a field of a form of ours holds; nothing where it is left out.
    pub(crate) fn field(&self, name: &str) -> Result<&str, Refusal> {
        self.one(name).map(Option::unwrap_or_default).map_err(|Repeated| Refusal::Invalid("a field is repeated"))
    }

    /// Those among `names`, with their values: what a form carries along.
    pub(crate) fn only(&self, names: &[&str]) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_there_once_or_not_at_all() {
        let read = Parameters::parse(b"a=1&b=&c=x+y%2Fz&d=1&d=1").unwrap();
        assert_eq!(read.one("a"), Ok(Some("1")));
        assert_eq!(read.one("b"), Ok(None));
        assert_eq!(read.one("c"), Ok(Some("x y/z")));
        assert_eq!(read.one("d"), Err(Repeated));
        assert_eq!(read.one("e"), Ok(None));
        assert_eq!(read.only(&["a", "c"]).len(), 2);
    }

    #[test]
    fn none_is_left_out_because_there_are_many() {
        let many = |count: usize| vec!["a=1"; count].join("&");
        assert!(Parameters::parse(many(64).as_bytes()).is_ok());
        assert_eq!(Parameters::parse(many(65).as_bytes()), Err(TooMany));
    }
}
