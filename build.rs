//! With the feature `capi`: makes the C headers out of `src/ffi` with cbindgen, into `OUT_DIR`. Those
//! that are checked in, under `include/`, are compared with them by `tests/it/header.rs`.

#[cfg(not(feature = "capi"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}

#[cfg(feature = "capi")]
fn main() {
    headers::generate();
}

#[cfg(feature = "capi")]
mod headers {
    use std::path::{Path, PathBuf};

    use cbindgen::{Builder, Config, DocumentationStyle, Language, SortKey, Style};

    /// The everyday tier's files, in the order in which a reader wants them.
    const EVERYDAY: [&str; 16] = [
        "status",
        "text",
        "error",
        "version",
        "foreign",
        "notice",
        "options",
        "handle",
        "open",
        "apps",
        "webhook_config",
        "webhooks",
        "events",
        "keys",
        "run",
        "records",
    ];
    const EVERYDAY_TOO: [&str; 6] = ["claims", "explain", "upkeep", "verify", "api_keys", "api"];
    const EXTENSION: [&str; 5] = ["kv", "transport", "signer", "clock", "testing"];

    pub fn generate() {
        let source = PathBuf::from("src/ffi");
        let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
        println!("cargo::rerun-if-changed=build.rs");
        println!("cargo::rerun-if-changed=src/ffi");
        let everyday = EVERYDAY.iter().chain(&EVERYDAY_TOO);
        write(
            config("HOOKBOX_H", PREAMBLE),
            everyday.map(|name| source.join(format!("{name}.rs"))),
            &everyday_macros(),
            &out.join("hookbox.h"),
        );
        let mut sys = config("HOOKBOX_SYS_H", SYS_PREAMBLE);
        sys.includes.push("../hookbox.h".into());
        let extension = EXTENSION.iter();
        write(
            sys,
            extension.map(|name| source.join(format!("sys/{name}.rs"))),
            &extension_macros(),
            &out.join("sys.h"),
        );
    }

    fn write(config: Config, sources: impl Iterator<Item = PathBuf>, macros: &str, to: &Path) {
        let builder = Builder::new().with_config(config);
        let made = sources.fold(builder, Builder::with_src).generate();
        let mut text = Vec::new();
        made.expect("src/ffi makes a header").write(&mut text);
        let text = String::from_utf8(text).expect("a header is text");
        // cbindgen would put its trailer after the guard, where a second inclusion finds it.
        let end = text
            .rfind("\n#ifdef __cplusplus\n}  // extern")
            .expect("cpp_compat");
        let whole = format!("{}\n{macros}{}", &text[..end], &text[end..]);
        std::fs::write(to, whole).expect("OUT_DIR can be written to");
    }

    fn config(guard: &str, header: &str) -> Config {
        let mut config = Config {
            language: Language::C,
            cpp_compat: true,
            include_guard: Some(guard.into()),
            header: Some(header.trim_start().into()),
            no_includes: true,
            sys_includes: ["stdbool.h", "stddef.h", "stdint.h", "string.h"]
                .map(Into::into)
                .to_vec(),
            usize_is_size_t: true,
            style: Style::Both,
            documentation_style: DocumentationStyle::C99,
            line_length: 100,
            tab_width: 4,
            sort_by: SortKey::None,
            ..Config::default()
        };
        config.function.sort_by = Some(SortKey::None);
        config.constant.sort_by = Some(SortKey::None);
        config
            .defines
            .insert("feature = testing".into(), "HOOKBOX_TESTING".into());
        config
    }

    /// What every function shares: said once.
    const PREAMBLE: &str = r#"
// hookbox: an embedded webhook outbox. https://github.com/hookbox/hookbox
//
// Made from src/ffi by build.rs with cbindgen; do not edit.
//
// A program opens a box, creates an app, registers webhooks, and emits events; hookbox delivers them,
// signed, for two weeks if need be, and keeps a record of every attempt. In short:
//
//     hookbox_box *box = NULL;
//     hookbox_error *error = NULL;
//     if (hookbox_open(hookbox_cstr("app.db"), NULL, &box, &error) != HOOKBOX_OK) {
//         fprintf(stderr, "%s\n", error->message.ptr);
//         hookbox_error_free(error);
//         return 1;
//     }
//     hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
//     app.id = hookbox_cstr("54e9ujn");
//     hookbox_app_create(box, &app, NULL, NULL);
//     ... hookbox_webhook_create(), hookbox_webhook_activate() ...
//     hookbox_box_start(box, NULL);
//     hookbox_emit(box, app.id, hookbox_cstr("user.created"), payload, NULL, &error);
//     ...
//     hookbox_box_close(box, 5000, NULL);
//     hookbox_box_free(box);
//
// ERRORS. Every function that can fail returns a hookbox_status: HOOKBOX_OK (0), or what went wrong. Its
// last argument, `error`, may be NULL; else it is set to NULL on success, and to an error object on failure,
// which the caller frees with hookbox_error_free(). There is no last error of a thread. Outputs (`out_…`)
// are written on success only. A bug in hookbox that would end another program comes back as
// HOOKBOX_PANIC. Bad input (NULL, a text that is not UTF-8, a number that means nothing) gets a status,
// never a crash; but a pointer that is neither NULL nor valid cannot be told. What cannot be an id at all is
// HOOKBOX_INVALID_REQUEST; an app's is HOOKBOX_APP_NOT_FOUND, and a key's HOOKBOX_INVALID_KEY.
//
// OWNERSHIP. What comes out through `out_…` is the caller's, and has one function that frees it, named in
// its comment; _free(NULL) does nothing. Texts and lists inside of it are its own: valid until it is freed,
// never freed by themselves. Arguments are copied before a call returns. What the caller fills in (a
// structure with struct_size) stays the caller's.
//
// TEXTS are hookbox_str: a pointer and a length, UTF-8. As an argument an empty one leaves out what may be
// left out. Those that hookbox gives out end with a NUL as well, so that they print with %s.
//
// TIMES are Unix milliseconds, 0 for none; spans are milliseconds.
//
// VERSIONS. Structures that the caller fills in start with struct_size, so that later versions may append
// members: clear them, and set it, with their ..._INIT macro. Structures that hookbox gives out may grow at
// their end as well: reach them by pointer, never copy them whole, never take their size.
//
// THREADS. A hookbox_box and a hookbox_verifier may be used by any number of threads at once. What is
// given out is immutable: any thread may read it, and one may free it. Builders (hookbox_options) belong to
// one thread at a time. Callbacks run on hookbox's threads and on those that call; several at once; never
// with a lock of hookbox's held; never again once hookbox_box_close() has returned.
//
// PROCESSES. A box belongs to the process that opened it. In a child of fork() every call returns
// HOOKBOX_FORKED; open a box there only after exec(). Several processes may open the same file.
//
// SQLITE. Inside one process a file may be opened by one copy of SQLite only: two copies drop each other's
// locks, and corrupt it. A library with its own copy (hookbox_sqlite_is_bundled() is 1) keeps its file to
// itself: the program must not open it with another one, and calls hookbox_emit(). A library that is built on
// the system's SQLite shares it: the program may have its own tables in the same file, and emit inside its own
// transaction with hookbox_emit_in(), or with plain SQL (INSERT INTO hookbox_event).
//
// The library installs no signal handler and no exit hook, blocks the program's signals on its own threads,
// sets no global state, reads no environment variable, and prints nothing (but for a bug of its own: the
// message of a HOOKBOX_PANIC goes to stderr).
"#;

    const SYS_PREAMBLE: &str = r"
// hookbox, the extension tier: what a program may bring itself. A key-value store, an HTTP client, a signer, a
// clock. Its promise of stability is weaker than hookbox.h's: it may change with each minor version.
//
// Made from src/ffi/sys by build.rs with cbindgen; do not edit.
//
// Each is a table of functions with a context and its destroy. hookbox copies the table, and calls destroy
// exactly once: when the box or the options are done with it, and also when the call that takes it fails
// (unless the table itself cannot be read). All functions may be called from any thread. None may unwind (a C++
// exception, a Go panic) or longjmp through hookbox.
";

    /// Ways to write a text.
    const TEXT_MACROS: &str = r#"
// A text out of a string literal, embedded NULs included.
#ifdef __cplusplus
#define HOOKBOX_STR(literal) (hookbox_str{(literal), sizeof(literal) - 1})
#else
#define HOOKBOX_STR(literal) ((hookbox_str){(literal), sizeof(literal) - 1})
#endif

// A text out of a NUL-terminated string; the empty text out of NULL. It points to the string.
static inline hookbox_str hookbox_cstr(const char *text)
{
    hookbox_str str;
    str.ptr = text != NULL ? text : "";
    str.len = text != NULL ? strlen(text) : 0;
    return str;
}

// A text out of an id.
static inline hookbox_str hookbox_id_str(const hookbox_id *id)
{
    return hookbox_cstr(id->text);
}

// Structures that the caller fills in, empty and with their size. As initialisers:
//     hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;
"#;

    /// An initialiser for each structure that the caller fills in.
    fn initialisers(names: &[&str]) -> String {
        let line = |name: &&str| {
            let macro_name = name.to_uppercase();
            // C++ before C++20 has no designators, and warns of members that are left out.
            format!(
                "#ifdef __cplusplus\n\
                 #define {macro_name}_INIT ([] {{ {name} it{{}}; it.struct_size = sizeof it; return it; }}())\n\
                 #else\n\
                 #define {macro_name}_INIT {{.struct_size = sizeof({name})}}\n\
                 #endif\n"
            )
        };
        names.iter().map(line).collect()
    }

    fn everyday_macros() -> String {
        let filled_in = [
            "hookbox_new_app",
            "hookbox_webhook_config",
            "hookbox_new_event",
            "hookbox_outcome",
            "hookbox_verify_options",
            "hookbox_new_api_key",
            "hookbox_grant",
            "hookbox_api_request",
        ];
        format!("{}{}", TEXT_MACROS.trim_start(), initialisers(&filled_in))
    }

    fn extension_macros() -> String {
        initialisers(&[
            "hookbox_kv",
            "hookbox_transport",
            "hookbox_signer",
            "hookbox_clock",
        ])
    }
}
