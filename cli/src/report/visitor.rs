//! Who asks, as far as a log tells: what was proved, and what is only said.

use super::entry::Entry;

/// A kind of visitor, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// An agent that showed a passport.
    Agent,
    /// Something that calls itself a crawler of somebody's.
    Crawler,
    /// A reader of feeds.
    FeedReader,
    /// Something that calls itself a program, or nothing.
    Program,
    /// Something that calls itself a browser.
    Browser,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Agent, Self::Crawler, Self::FeedReader, Self::Program, Self::Browser];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Crawler => "crawler",
            Self::FeedReader => "feed reader",
            Self::Program => "program",
            Self::Browser => "browser",
        }
    }

    /// What a visit of this kind rests on.
    pub(super) const fn proof(self) -> &'static str {
        match self {
            Self::Agent => "passport",
            Self::Crawler | Self::FeedReader | Self::Program | Self::Browser => "its own word",
        }
    }
}

/// A crawler of somebody's, and the names that its addresses resolve to, where its owner publishes them.
#[derive(Debug)]
pub(super) struct Crawler {
    pub(super) name: &'static str,
    /// In its user agent, in lower case.
    sign: &'static str,
    /// Domains of its hosts; empty where its owner names addresses instead.
    pub(super) domains: &'static [&'static str],
}

/// From the pages of their owners on how to verify each of them, as of November 2026.
const CRAWLERS: &[Crawler] = &[
    Crawler {
        name: "Googlebot",
        sign: "googlebot",
        domains: &["googlebot.com", "google.com", "googleusercontent.com"],
    },
    Crawler { name: "Google-Extended", sign: "google-extended", domains: &["google.com", "googleusercontent.com"] },
    Crawler { name: "bingbot", sign: "bingbot", domains: &["search.msn.com"] },
    Crawler { name: "Applebot", sign: "applebot", domains: &["applebot.apple.com"] },
    Crawler { name: "YandexBot", sign: "yandex", domains: &["yandex.ru", "yandex.net", "yandex.com"] },
    Crawler { name: "Baiduspider", sign: "baiduspider", domains: &["baidu.com", "baidu.jp"] },
    Crawler { name: "Amazonbot", sign: "amazonbot", domains: &["crawl.amazonbot.amazon"] },
    Crawler { name: "CCBot", sign: "ccbot", domains: &["crawl.commoncrawl.org"] },
    Crawler { name: "PetalBot", sign: "petalbot", domains: &["petalsearch.com", "aspiegel.com"] },
    Crawler { name: "GPTBot", sign: "gptbot", domains: &[] },
    Crawler { name: "OAI-SearchBot", sign: "oai-searchbot", domains: &[] },
    Crawler { name: "ChatGPT-User", sign: "chatgpt-user", domains: &[] },
    Crawler { name: "PerplexityBot", sign: "perplexity", domains: &[] },
    Crawler { name: "DuckDuckBot", sign: "duckduckbot", domains: &[] },
    Crawler { name: "Bytespider", sign: "bytespider", domains: &[] },
    Crawler { name: "Meta", sign: "meta-externalagent", domains: &[] },
    Crawler { name: "AhrefsBot", sign: "ahrefsbot", domains: &["ahrefs.com", "ahrefs.net"] },
    Crawler { name: "SemrushBot", sign: "semrushbot", domains: &["semrush.com"] },
];

const FEED_READERS: [&str; 10] = [
    "feedly",
    "inoreader",
    "newsblur",
    "miniflux",
    "freshrss",
    "feedbin",
    "tiny tiny rss",
    "netnewswire",
    "feedparser",
    "rss",
];

/// Words by which what is no browser says so.
const PROGRAMS: [&str; 13] = [
    "bot",
    "crawler",
    "spider",
    "curl",
    "wget",
    "python",
    "go-http-client",
    "java/",
    "okhttp",
    "axios",
    "node",
    "headless",
    // What fetches a page because somebody asked it to.
    "-user/",
];

/// A visitor, as the report names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Visitor {
    pub(super) kind: Kind,
    pub(super) name: String,
}

impl Visitor {
    pub(super) fn of(entry: &Entry) -> Self {
        if let Some(agent) = &entry.agent {
            return Self { kind: Kind::Agent, name: agent.clone() };
        }
        let said = entry.user_agent.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if let Some(crawler) = crawler_in(&said) {
            return Self { kind: Kind::Crawler, name: crawler.name.to_owned() };
        }
        if has(&FEED_READERS) {
            return Self { kind: Kind::FeedReader, name: product(&entry.user_agent) };
        }
        if said.starts_with("mozilla/") && !has(&PROGRAMS) {
            return Self { kind: Kind::Browser, name: browser(&said).to_owned() };
        }
        let name = if said.is_empty() { "(says nothing)".to_owned() } else { product(&entry.user_agent) };
        Self { kind: Kind::Program, name }
    }

    /// The crawler that it calls itself.
    pub(super) fn crawler(&self) -> Option<&'static Crawler> {
        CRAWLERS.iter().find(|crawler| self.kind == Kind::Crawler && crawler.name == self.name)
    }
}

fn crawler_in(said: &str) -> Option<&'static Crawler> {
    CRAWLERS.iter().find(|crawler| said.contains(crawler.sign))
}

/// `curl/8.5.0` -> `curl`: the name of the first product (RFC 9110 §10.1.5), or what stands where one should.
fn product(user_agent: &str) -> String {
    let inner = user_agent.split("compatible;").nth(1).unwrap_or(user_agent).trim();
    let name: String =
        inner.chars().take_while(|character| !matches!(character, '/' | ';' | ' ' | ')')).take(40).collect();
    if name.is_empty() { "(unnamed)".to_owned() } else { name }
}

/// Later names claim the earlier ones too.
fn browser(said: &str) -> &'static str {
    [("edg/", "Edge"), ("opr/", "Opera"), ("firefox/", "Firefox"), ("chrome/", "Chrome"), ("safari/", "Safari")]
        .into_iter()
        .find_map(|(sign, name)| said.contains(sign).then_some(name))
        .unwrap_or("other browser")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(user_agent: &str, kind: Kind, name: &str) {
        let entry = Entry { user_agent: user_agent.to_owned(), ..Entry::default() };
        assert_eq!(Visitor::of(&entry), Visitor { kind, name: name.to_owned() }, "{user_agent}");
    }

    #[test]
    fn visitors_are_what_they_say() {
        check(
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140",
            Kind::Browser,
            "Edge",
        );
        check("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Kind::Browser, "Firefox");
        check("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Kind::Crawler, "Googlebot");
        check(
            "Mozilla/5.0 AppleWebKit/537.36; compatible; GPTBot/1.2; +https://openai.com/gptbot",
            Kind::Crawler,
            "GPTBot",
        );
        check("Mozilla/5.0 (compatible; SomeBot/1.0)", Kind::Program, "SomeBot");
        check("Mozilla/5.0 (KHTML, like Gecko; compatible; Some-User/1.0)", Kind::Program, "Some-User");
        check("FreshRSS/1.24", Kind::FeedReader, "FreshRSS");
        check("curl/8.5.0", Kind::Program, "curl");
        check("python-httpx/0.27", Kind::Program, "python-httpx");
        check("", Kind::Program, "(says nothing)");
        check("\u{1b}[31m", Kind::Program, "\u{1b}[31m");
    }

    #[test]
    fn a_passport_counts_before_what_is_said() {
        let entry = Entry { agent: Some("a-1".into()), user_agent: "Mozilla/5.0 Firefox/1".into(), ..Entry::default() };
        assert_eq!(Visitor::of(&entry), Visitor { kind: Kind::Agent, name: "a-1".into() });
    }
}
