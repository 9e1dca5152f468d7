use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use super::*;

const URL: &str = "https://app.example/client.json";

fn kept() -> Kept<u32> {
    Kept::new(Bounds { fresh_max: Duration::from_mins(60), outage_max: Duration::from_mins(60) })
}

const fn fetched(value: u32, minutes: u64) -> Result<(u32, Keep), DocumentRefusal> {
    Ok((value, Keep::For(Duration::from_mins(minutes))))
}

#[tokio::test]
async fn who_asks_while_a_fetch_is_under_way_gets_what_it_brings() {
    let (kept, now, count) = (Arc::new(kept()), Instant::now(), Arc::new(AtomicUsize::new(0)));
    let (land, landing) = oneshot::channel::<()>();
    let mut landing = Some(landing);
    let finds: Vec<_> = (0..10)
        .map(|_| {
            let (kept, count, landing) = (Arc::clone(&kept), Arc::clone(&count), landing.take());
            tokio::spawn(async move {
                let fetch = async {
                    count.fetch_add(1, Ordering::SeqCst);
                    if let Some(landing) = landing {
                        landing.await.unwrap();
                    }
                    Err(DocumentRefusal::Status(404))
                };
                kept.find(URL, now, fetch).await
            })
        })
        .collect();
    while kept.waiting(URL) < 10 {
        tokio::task::yield_now().await;
    }
    land.send(()).unwrap();
    for find in finds {
        assert_eq!(find.await.unwrap(), Err(DocumentRefusal::Status(404)));
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(kept.lock().is_empty(), "a flight that has landed is over");
    assert_eq!(*kept.find(URL, now, ready(fetched(1, 1))).await.unwrap(), 1, "a refusal is not kept");
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_forgotten() {
    let (kept, now) = (kept(), Instant::now());
    let given_up = tokio::time::timeout(Duration::ZERO, kept.find(URL, now, pending())).await;
    assert!(given_up.is_err() && kept.lock().is_empty());
    assert_eq!(*kept.find(URL, now, ready(fetched(1, 1))).await.unwrap(), 1);
}

#[tokio::test]
async fn another_takes_over_from_one_who_left() {
    let (kept, now) = (Arc::new(kept()), Instant::now());
    let first = tokio::spawn({
        let kept = Arc::clone(&kept);
        async move { kept.find(URL, now, pending()).await }
    });
    while kept.waiting(URL) < 1 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn({
        let kept = Arc::clone(&kept);
        async move { kept.find(URL, now, ready(fetched(2, 1))).await }
    });
    while kept.waiting(URL) < 2 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert_eq!(*second.await.unwrap().unwrap(), 2);
    assert!(kept.lock().is_empty());
}

#[tokio::test]
async fn an_outage_longer_than_its_bound_is_not_bridged() {
    let (kept, now) = (kept(), Instant::now());
    let after = |minutes: u64| now + Duration::from_mins(minutes);
    let failed = || ready(Err(DocumentRefusal::Unreachable));
    kept.find(URL, now, ready(fetched(1, 10))).await.unwrap();
    assert_eq!(*kept.find(URL, after(9), pending()).await.unwrap(), 1);
    for minutes in [10, 20, 59] {
        assert_eq!(*kept.find(URL, after(minutes), failed()).await.unwrap(), 1);
    }
    assert_eq!(kept.find(URL, after(60), failed()).await, Err(DocumentRefusal::Unreachable));
}

#[tokio::test]
async fn what_must_not_be_kept_is_not_even_for_an_outage() {
    let (kept, now) = (kept(), Instant::now());
    kept.find(URL, now, ready(fetched(1, 0))).await.unwrap();
    kept.find(URL, now, ready(Ok((2, Keep::Never)))).await.unwrap();
    assert_eq!(kept.find(URL, now, ready(Err(DocumentRefusal::TooSlow))).await, Err(DocumentRefusal::TooSlow));
}
