//! `Retry-After` and `webhook-delivery`: any text, at any time, under any status; the next attempt is
//! never earlier than the schedule's, nor later than the longest wait.
#![no_main]

use hookbox::machine::{
    ControlHeaders, Next, judge, longest_wait, next_attempt, parse_retry_after,
};
use hookbox::model::{AttemptResult, Profile, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, i64, u16, u32, u64)| {
    let (retry_after, control, now, status, k, random) = input;
    let now = Timestamp::from_millis(now);
    if let Some(wait) = parse_retry_after(retry_after, now) {
        let digits = retry_after.trim().bytes().all(|byte| byte.is_ascii_digit());
        assert!(digits || !wait.is_zero());
    }
    for profile in [
        Profile::prelude(),
        Profile::fingerprint(),
        Profile::standard_webhooks(),
    ] {
        let policy = profile.delivery;
        let headers = ControlHeaders {
            retry_after: Some(retry_after),
            webhook_delivery: Some(control),
        };
        let outcome = judge(&policy, AttemptResult::Status(status), headers, now);
        let hint = outcome.retry_after;
        let plain = next_attempt(&policy, k, now, now, None, 0);
        let next = next_attempt(&policy, k, now, now, hint, random);
        match (plain, next) {
            (Next::At(plain), Next::At(due)) => {
                assert!(due >= plain && due >= now);
                assert!(due <= now.plus(longest_wait(&policy)));
            }
            (plain, next) => assert_eq!(plain, next),
        }
    }
});
