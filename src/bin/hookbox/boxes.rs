//! How a command opens the box: for reading, for changing, or to create it.

use std::path::Path;

use hookbox::model::Secret;
use hookbox::signing::KeyEncryptionKey;
use hookbox::transport::AddressPolicy;
use hookbox::{Error, Hookbox, Options, StorageFault};

use crate::args::Global;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Holds the key-encryption key itself, not a file's name.
const KEY_VARIABLE: &str = "HOOKBOX_KEY";

/// Opens for looking only: no file is created or changed.
pub fn read(global: &Global) -> Outcome<Hookbox> {
    exists(&global.db)?;
    Ok(options(global)?.open_read_only(&global.db)?)
}

/// Opens for writing a box that exists: a mistyped `--db` must not leave an empty box behind.
pub fn change(global: &Global) -> Outcome<Hookbox> {
    change_with(global, options(global)?)
}

/// As [`change`], with options that the command has added to.
pub fn change_with(global: &Global, options: Options) -> Outcome<Hookbox> {
    exists(&global.db)?;
    Ok(options.open(&global.db)?)
}

/// Opens for writing; creates the box where it is missing.
pub fn create(global: &Global) -> Outcome<Hookbox> {
    Ok(options(global)?.open(&global.db)?)
}

/// The options that the global arguments ask for.
pub fn options(global: &Global) -> Outcome<Options> {
    let policy = AddressPolicy {
        allow_http: global.allow_http,
        allow: global
            .allow_private
            .iter()
            .flat_map(|each| each.0.clone())
            .collect(),
        ..AddressPolicy::default()
    };
    let options = Options::new().addresses(policy);
    let older = global.old_key_file.iter().map(|path| read_key(path));
    let older = older.collect::<Outcome<Vec<_>>>()?;
    Ok(match key(global)? {
        None if older.is_empty() => options,
        key => options.key_encryption_key(key, older),
    })
}

pub fn exists(path: &Path) -> Outcome {
    // A server tells by itself.
    if path.to_str().is_some_and(|text| text.contains("://")) {
        return Ok(());
    }
    let message = match path.try_exists() {
        Ok(true) => return Ok(()),
        Ok(false) => "no box is there (`hookbox app create` makes one)".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::Refused(Error::Storage {
        fault: StorageFault::Io,
        message: format!("{}: {message}", path.display()),
    }))
}

/// The file wins over the environment: it was asked for in so many words.
fn key(global: &Global) -> Outcome<Option<KeyEncryptionKey>> {
    match &global.key_file {
        Some(path) => read_key(path).map(Some),
        None => match std::env::var(KEY_VARIABLE) {
            Ok(text) if !text.is_empty() => {
                Ok(Some(KeyEncryptionKey::from_base64(&Secret::new(text))?))
            }
            _ => Ok(None),
        },
    }
}

fn read_key(path: &Path) -> Outcome<KeyEncryptionKey> {
    warn_if_open_to_others(path);
    let text = std::fs::read_to_string(path);
    let text = Secret::new(text.map_err(|error| Failure::file(path, &error))?);
    Ok(KeyEncryptionKey::from_base64(&text)?)
}

fn warn_if_open_to_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let open = std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
        if open {
            output::warn(&format!(
                "warning: {} can be read by others; chmod 600 it",
                path.display()
            ));
        }
    }
}
