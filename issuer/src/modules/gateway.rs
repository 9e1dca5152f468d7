//! `/api/v1/modules/gateway/...`: what a gateway needs from its issuer beyond the site SDK's endpoints.
//!
//! Every call carries a credential in `X-Site-Token`: a gateway token (`gt_...`, many sites) or a site token (`st_...`,
//! that one site). Refusals are the envelope's: 401 `SITE_TOKEN_MISSING` or `SITE_TOKEN_INVALID`, 403 `SITE_SUSPENDED`
//! (the site, the gateway credential or their owner), 503 `SITE_TOKEN_AUTH_UNAVAILABLE` (the store is down).
//!
//! # `GET sites`
//!
//! ```json
//! {"ok":true,"data":{"sites":[{"site_id":"0193...","name":"Shop","origin":"https://shop.example"}]}}
//! ```
//! The sites this credential serves. `origin` is the URL the site was registered with: scheme, host and port, no final
//! slash. Suspended sites are not listed.
//!
//! # `GET revocations` and `GET revocations?after=SEQ`
//!
//! ```json
//! {"ok":true,"data":{"revocations":[{"seq":7,"kind":"agent","id":"0193...","not_before":1795532400,"suspended":true}],
//!                    "seq":7,"more":false}}
//! ```
//! The revocation log, in the order of `seq`, the same for every credential.
//!
//! * `kind` is `agent`, `owner`, `site` or `key`; `id` is the subject's id (for `key` its `kid`).
//! * `not_before` is in whole seconds since 1970. A credential of this subject counts only when its issue time (`iat`, a
//!   session's `login_at`) is **later** than `not_before`; the same second is refused. The issuer never signs with an
//!   `iat` at or before the `not_before` of a subject: after a resume it moves `iat` on by up to one second.
//! * `suspended: true`: every credential of this subject is refused, whatever its issue time. `suspended: false` ends
//!   that (the subject was resumed); `not_before` is then the time of the resume, so that nothing older revives.
//! * A `key` row is always `suspended: true`, and for ever: nothing signed by that `kid` counts.
//! * A later row of the same `kind` and `id` replaces the earlier one. An unknown `kind` is to be ignored.
//!
//! With `after=SEQ`: the rows with a greater `seq`, at most 10,000; `more: true` means ask again with the answer's `seq`.
//! Without `after`: the state as a list, that is the newest row of every subject that is still suspended or changed in
//! the last 25 hours; it replaces whatever the gateway knew. The answer's `seq` is the position to resume from, also when
//! the list is empty. A `SEQ` older than 25 hours (rows after it may be gone), or one the log has not reached (a store
//! restored from a backup), is answered 410 `REVOCATIONS_GONE`: ask again without `after`. A `SEQ` that is no number:
//! 400 `VALIDATION_ERROR`.
//!
//! # `GET events`
//!
//! One stream a credential (`text/event-stream`; each event is one `data:` line with one JSON object). At most 64 at a
//! time for a credential, then 429 `RATE_LIMIT_EXCEEDED`.
//!
//! ```text
//! data: {"type":"position","seq":7}
//! data: {"type":"approved","login_request_id":"b1e4...","site_id":"0193...","agent_passport_jwt":"ey..."}
//! data: {"type":"expired","login_request_id":"b1e4...","site_id":"0193..."}
//! data: {"type":"revocation","seq":8,"kind":"agent","id":"0193...","not_before":1795532400,"suspended":true}
//! data: {"type":"keepalive","seq":8}
//! ```
//! * `position` comes first: every row past this `seq` will come on this stream. To resume: open the stream, take the
//!   position, ask `revocations?after=` the stored `seq` until it is reached; rows may then arrive twice.
//! * `approved` events follow the rules of `agent-login/events`: all that is not DELIVERED and what was DELIVERED less
//!   than 120 s ago come first on a new stream. Duplicates are possible and carry the same `jti`.
//! * `expired` is said once, to the streams open at that moment.
//! * `keepalive` comes every 15 s. Its `seq` greater than the last one seen means that a row was missed: ask for it.
//! * Unknown types are to be ignored. The stream ends when its credential stops counting, when the reader is too slow,
//!   and when the issuer stops; nothing is lost by that, reconnect.
//!
//! A suspension made beside a running issuer is on every stream within 200 ms of its commit.

pub(crate) mod events;
pub(crate) mod revocations;
pub(crate) mod sites;
