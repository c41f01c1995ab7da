//! A storage that passes every call on to another, but for those that a test takes into its own hands.

use std::sync::Arc;

use hookbox::Result;
use hookbox::model::*;
use hookbox::storage::*;

/// Passes every call on, unless there is a hook for it.
pub struct Wrapped {
    inner: Arc<dyn Storage>,
    hooks: Hooks,
}

impl Wrapped {
    pub fn new(inner: Arc<dyn Storage>, hooks: Hooks) -> Self {
        Self { inner, hooks }
    }
}

impl std::fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wrapped")
    }
}

/// A call that is taken over: gets the storage underneath, and the arguments.
type Hook<F> = Option<Box<F>>;

macro_rules! pass_on {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        /// What is done instead of passing a call on.
        #[derive(Default)]
        pub struct Hooks {
            $(pub $name: Hook<dyn Fn(&dyn Storage, $($type),*) -> $result + Send + Sync>,)*
        }

        impl Storage for Wrapped {
            $(fn $name(&self, $($arg: $type),*) -> $result {
                match &self.hooks.$name {
                    Some(hook) => hook(&*self.inner, $($arg),*),
                    None => self.inner.$name($($arg),*),
                }
            })*
        }
    };
}

pass_on! {
    fn create_app(app: App, keys: Vec<StoredKey>) -> Result<()>;
    fn get_app(id: &AppId) -> Result<Arc<App>>;
    fn list_apps(page: PageRequest) -> Result<Page<App>>;
    fn set_app_state(id: &AppId, state: AppState) -> Result<App>;
    fn delete_app(id: &AppId) -> Result<()>;
    fn event_types() -> Result<Vec<EventType>>;
    fn set_event_types(types: Vec<EventType>, replace: bool) -> Result<()>;
    fn keys(app: &AppId) -> Result<Vec<StoredKey>>;
    fn edit_keys(app: &AppId, edit: EditKeys) -> Result<Vec<StoredKey>>;
    fn create_api_key(key: StoredApiKey) -> Result<()>;
    fn get_api_key(id: &ApiKeyId) -> Result<StoredApiKey>;
    fn list_api_keys(filter: ApiKeyFilter, page: PageRequest) -> Result<Page<ApiKey>>;
    fn revoke_api_key(id: &ApiKeyId, now: Timestamp) -> Result<ApiKey>;
    fn note_api_key_use(id: &ApiKeyId, at: Timestamp) -> Result<()>;
    fn create_webhook(webhook: StoredWebhook) -> Result<()>;
    fn get_webhook(app: &AppId, id: &WebhookId) -> Result<Arc<StoredWebhook>>;
    fn list_webhooks(app: &AppId, filter: WebhookFilter, page: PageRequest) -> Result<Page<Webhook>>;
    fn edit_webhook(app: &AppId, id: &WebhookId, edit: EditWebhook) -> Result<StoredWebhook>;
    fn delete_webhook(app: &AppId, id: &WebhookId) -> Result<()>;
    fn emit(app: &AppId, events: Vec<PreparedEvent>) -> Result<Vec<EventId>>;
    fn exchange(now: Timestamp, seed: u64, results: Vec<Settlement>, claim: Option<ClaimRequest>) -> Result<Exchanged>;
    fn read_events(positions: &Positions) -> Result<Vec<Event>>;
    fn is_read_only() -> bool;
    fn foreign_writes() -> Result<i64>;
    fn resend(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
    fn cancel(app: &AppId, batch: &BatchId, now: Timestamp) -> Result<Batch>;
    fn replay(app: &AppId, webhook: &WebhookId, since: Timestamp) -> Result<u64>;
    fn get_event(id: &EventId) -> Result<Event>;
    fn list_events(app: &AppId, filter: EventFilter, page: PageRequest) -> Result<Page<Event>>;
    fn get_batch(id: &BatchId) -> Result<Batch>;
    fn list_batches(app: &AppId, filter: BatchFilter, page: PageRequest) -> Result<Page<Batch>>;
    fn list_attempts(app: &AppId, filter: AttemptFilter, page: PageRequest) -> Result<Page<Attempt>>;
    fn backlog(app: &AppId, webhook: &WebhookId) -> Result<BacklogRow>;
    fn prune(before: Timestamp, now: Timestamp, slice: usize) -> Result<bool>;
    fn check() -> Result<Vec<String>>;
    fn stats() -> Result<StorageStats>;
    fn backup(to: &std::path::Path) -> Result<()>;
    fn awaited_by(event: &Event) -> Result<Vec<WebhookId>>;
    fn batches_of(event: &Event) -> Result<Vec<Batch>>;
    fn sealed_key(app: &AppId, kid: &KeyId) -> Result<Vec<u8>>;
}
