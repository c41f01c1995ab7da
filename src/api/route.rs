//! The table of routes: one row for each operation. Routing, `Allow`, the need for a key and the test
//! of the documents in docs/openapi all read it.

use super::Response;
use super::call::Call;
use super::fault::Fault;

/// The methods that routes have. `HEAD` goes with `GET`, `OPTIONS` with any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What a key must be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// No key is needed.
    Nothing,
    /// Any key, for the app that the path names.
    Read,
    /// A key that may write, for the app that the path names.
    Write,
    /// A key for all apps.
    ReadAll,
    /// A key for all apps that may write.
    WriteAll,
}

/// What is done with a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// It is ignored.
    None,
    /// JSON of at most this many bytes.
    Json(usize),
}

/// Bytes of a body, where a route says nothing else.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// Does an operation. Must not panic.
pub(super) type Handler = fn(&Call<'_>) -> Result<Response, Fault>;

/// One operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub method: Method,
    /// The path; a segment in braces stands for any.
    pub path: &'static str,
    pub needs: Needs,
    pub body: Body,
    pub handler: Handler,
}

impl Route {
    pub const fn get(path: &'static str, needs: Needs, handler: Handler) -> Self {
        Self::new(Method::Get, path, needs, handler)
    }

    pub const fn post(path: &'static str, needs: Needs, handler: Handler) -> Self {
        Self::new(Method::Post, path, needs, handler)
    }

    pub const fn patch(path: &'static str, needs: Needs, handler: Handler) -> Self {
        Self::new(Method::Patch, path, needs, handler)
    }

    pub const fn delete(path: &'static str, needs: Needs, handler: Handler) -> Self {
        Self::new(Method::Delete, path, needs, handler)
    }

    const fn new(method: Method, path: &'static str, needs: Needs, handler: Handler) -> Self {
        Self {
            method,
            path,
            needs,
            body: Body::None,
            handler,
        }
    }

    /// The same, with a JSON body.
    pub const fn with_body(mut self, bytes_max: usize) -> Self {
        self.body = Body::Json(bytes_max);
        self
    }

    /// Bytes of a request's body at most.
    pub const fn body_bytes_max(&self) -> usize {
        match self.body {
            Body::None => BODY_BYTES_MAX,
            Body::Json(bytes_max) => bytes_max,
        }
    }

    /// The values of the path's parameters, if the segments are those of this path.
    pub fn matches(&self, segments: &[String]) -> Option<Params> {
        let pattern = self.path.trim_start_matches('/').split('/');
        if pattern.clone().count() != segments.len() {
            return None;
        }
        let mut params = Vec::new();
        for (part, segment) in pattern.zip(segments) {
            match parameter(part) {
                Some(name) if !segment.is_empty() => params.push((name, segment.clone())),
                None if part == segment => {}
                _ => return None,
            }
        }
        Some(Params(params))
    }
}

fn parameter(part: &'static str) -> Option<&'static str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// The values of a path's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Params(Vec<(&'static str, String)>);

impl Params {
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What `Allow` says of these routes, which have one path.
pub(super) fn allow<'a>(routes: impl Iterator<Item = &'a Route>) -> String {
    let mut methods = Vec::new();
    for route in routes {
        if !methods.contains(&route.method.as_str()) {
            methods.push(route.method.as_str());
        }
        if route.method == Method::Get {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn a_path_matches_by_segments() {
        let route = Route::get("/apps/{app}/keys", Needs::Read, |_| Err(Fault::internal()));
        let found = route.matches(&segments("apps/a/keys")).unwrap();
        assert_eq!((found.get("app"), found.get("key")), (Some("a"), None));
        for other in [
            "apps/a",
            "apps//keys",
            "apps/a/keys/",
            "apps/a/key",
            "app/a/keys",
        ] {
            assert_eq!(route.matches(&segments(other)), None, "{other}");
        }
        let other = Route {
            method: Method::Delete,
            ..route
        };
        assert_eq!(allow([route, other].iter()), "GET, HEAD, DELETE, OPTIONS");
    }
}
