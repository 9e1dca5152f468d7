/// The JSON Schema (draft 2020-12) of `lime.toml`, for editors and for those who write such files with a program. It knows
/// every key and the form of each value; what keys ask of each other only [`Gateway::load`](crate::Gateway::load) knows.
#[must_use]
pub const fn schema() -> &'static str {
    include_str!("../schema.json")
}
