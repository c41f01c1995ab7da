//! Planted bugs: each breaks one invariant, and the judge must name it. What a judge does not see
//! broken, it does not see whole.

use hookbox::model::{BatchId, SignatureScheme, Timestamp};
use hookbox::transport::{Request, Response};

use super::network::{Answer, Temper};
use super::plan::Plan;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// An emit is acknowledged and not stored.
    ForgetsEmits,
    /// A key is not remembered: emitting again stores again.
    IgnoresKeys,
    /// A batch that has ended comes back by itself.
    Resurrects,
    /// A refusal is stored as success.
    CallsRefusedDelivered,
    /// Claimed batches are lost on their way, again and again.
    LosesClaims,
    /// Each request is sent twice.
    SendsTwice,
    /// Attempts are recorded under another number.
    MiscountsAttempts,
    /// Leases are taken although they last.
    StealsLeases,
    /// Results are taken whatever their fence.
    IgnoresFences,
    /// A lease is handed out as longer than it is.
    LengthensLeases,
    /// More is claimed than was asked for.
    ClaimsTooMuch,
    /// Waits are counted from an hour ago.
    IsEarly,
    /// `Retry-After` is not heard.
    IgnoresRetryAfter,
    /// Retries go on for a month.
    NeverGivesUp,
    /// Time only goes forward: after a clock was set back, nothing happens for long.
    WaitsForTheClock,
    /// A deactivation is acknowledged and not made.
    IgnoresDeactivation,
    /// A challenge that nobody answered is taken for answered.
    BelievesAnybody,
    /// An event is read otherwise the second time.
    ChangesBodies,
    /// Keys sign after they were taken out of the JWK set.
    SignsWithGoneKeys,
    /// A byte of the body changes after it was signed.
    SpoilsBodies,
    /// Each attempt has an id of its own.
    RenamesAttempts,
    /// Rate limits are forgotten.
    IgnoresPace,
    /// The same as `SpoilsBodies`, where a webhook's secret signs.
    SpoilsSecretSignatures,
    /// An app's deletion is acknowledged and not made.
    KeepsApps,
    /// Event types are taken out of the catalogue in words only.
    KeepsWithdrawnTypes,
    /// Events of types that are not in the catalogue are taken.
    TakesAnyType,
    /// Webhooks may subscribe to types that are not in the catalogue.
    HearsAnyType,
}

impl Plant {
    pub const ALL: [Self; 27] = [
        Self::ForgetsEmits,
        Self::IgnoresKeys,
        Self::Resurrects,
        Self::CallsRefusedDelivered,
        Self::LosesClaims,
        Self::SendsTwice,
        Self::MiscountsAttempts,
        Self::StealsLeases,
        Self::IgnoresFences,
        Self::LengthensLeases,
        Self::ClaimsTooMuch,
        Self::IsEarly,
        Self::IgnoresRetryAfter,
        Self::NeverGivesUp,
        Self::WaitsForTheClock,
        Self::IgnoresDeactivation,
        Self::BelievesAnybody,
        Self::ChangesBodies,
        Self::SignsWithGoneKeys,
        Self::SpoilsBodies,
        Self::RenamesAttempts,
        Self::IgnoresPace,
        Self::SpoilsSecretSignatures,
        Self::KeepsApps,
        Self::KeepsWithdrawnTypes,
        Self::TakesAnyType,
        Self::HearsAnyType,
    ];

    /// The invariant that it breaks.
    pub const fn breaks(self) -> &'static str {
        match self {
            Self::ForgetsEmits => "I1",
            Self::IgnoresKeys => "I2",
            Self::Resurrects => "I3",
            Self::CallsRefusedDelivered => "I4",
            Self::LosesClaims => "I5",
            Self::SendsTwice => "I6",
            Self::MiscountsAttempts => "I7",
            Self::StealsLeases | Self::IgnoresFences => "I8",
            Self::LengthensLeases => "I9",
            Self::ClaimsTooMuch | Self::IgnoresPace => "I10",
            Self::IsEarly | Self::IgnoresRetryAfter => "I12",
            Self::NeverGivesUp => "I13",
            Self::WaitsForTheClock => "I14",
            Self::IgnoresDeactivation
            | Self::KeepsApps
            | Self::KeepsWithdrawnTypes
            | Self::TakesAnyType
            | Self::HearsAnyType => "I16",
            Self::BelievesAnybody => "I17",
            Self::ChangesBodies => "I18",
            Self::SignsWithGoneKeys => "I19",
            Self::SpoilsBodies | Self::SpoilsSecretSignatures => "I20",
            Self::RenamesAttempts => "I21",
        }
    }

    /// Whether a plan has what the bug needs to show.
    pub fn may_show(self, plan: &Plan) -> bool {
        match self {
            Self::WaitsForTheClock => plan.clock_steps,
            Self::NeverGivesUp => plan.profile.delivery.deactivate_after.is_none(),
            Self::IgnoresRetryAfter => plan.tempers.contains(&Temper::Throttling),
            // Elsewhere it shows that two are out at once, which is another bug.
            Self::SendsTwice => plan.hangs,
            // What is handed out once more also breaks the rate limit.
            Self::StealsLeases => plan.paced == 0,
            // With clocks that are wrong the limit is not promised.
            Self::IgnoresPace => plan.paced > 0 && !plan.clock_steps,
            Self::SpoilsSecretSignatures => {
                !matches!(plan.profile.signature, SignatureScheme::RsaPss { .. })
            }
            Self::KeepsApps
            | Self::KeepsWithdrawnTypes
            | Self::TakesAnyType
            | Self::HearsAnyType => plan.wide,
            _ => true,
        }
    }

    /// What becomes of a request on its way.
    pub fn spoil(self, request: &Request) -> Option<Request> {
        let mut spoiled = request.clone();
        match self {
            Self::SpoilsBodies => {
                let signature = spoiled
                    .headers
                    .iter_mut()
                    .find(|(name, _)| name == "X-Webhook-Signature")?;
                signature.1 = signature.1.replace('A', "B");
            }
            Self::SpoilsSecretSignatures => {
                let signature = spoiled.headers.iter_mut().find(|(name, _)| {
                    name == "fpjs-event-signature" || name == "webhook-signature"
                })?;
                // A digit, or a letter, of what comes after the version.
                let last = signature.1.pop()?;
                let before = signature.1.pop()?;
                let other = if before == 'a' { 'b' } else { 'a' };
                signature.1.extend([other, last]);
            }
            Self::RenamesAttempts => {
                let id = spoiled
                    .headers
                    .iter_mut()
                    .find(|(name, _)| name == "webhook-id")?;
                id.1 = BatchId::new(Timestamp::from_millis(0), 7).to_string();
            }
            _ => return None,
        }
        Some(spoiled)
    }

    /// What becomes of the answer to a challenge.
    pub fn prove(self, request: &Request, answer: Answer) -> Answer {
        let number = request.query.iter().find(|(name, _)| name == "challenge");
        match (self, answer) {
            (Self::BelievesAnybody, Err(_)) => {
                let number = number.map_or("", |(_, number)| number);
                Ok(Response {
                    status: 200,
                    headers: Vec::new(),
                    body: format!("{{\"challenge\":{number}}}").into_bytes(),
                })
            }
            (_, answer) => answer,
        }
    }
}
