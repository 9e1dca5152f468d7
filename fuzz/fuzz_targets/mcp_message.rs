//! Whatever is taken for a message says to any reader of JSON what it says to the gateway.
#![no_main]

use filters::Message;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let Ok(message) = Message::read(body) else { return };
    serde_json::from_slice::<&RawValue>(body).expect("it is JSON");
    // A number that no double holds stops some readers, and makes nobody read another name.
    let Ok(read) = serde_json::from_slice::<Value>(body) else { return };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    assert_eq!(text(&read["method"]).as_deref(), message.method.as_deref());
    assert_eq!(text(&read["params"]["name"]).as_deref(), message.name.as_deref());
    assert_eq!(text(&read["params"]["uri"]).as_deref(), message.uri.as_deref());
    if let Some(id) = message.id {
        assert_eq!(serde_json::from_str::<Value>(id).ok().as_ref(), Some(&read["id"]));
    }
    if read["method"] == "tools/call" {
        let (_, called) = message.targets.first().expect("a call says what it calls");
        assert_eq!(read["params"]["name"], **called);
    }
});
