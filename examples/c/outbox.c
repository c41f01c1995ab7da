// A program that sends webhooks, and, so that it can be run alone, the endpoint that receives them.
//
//     cc -std=c99 outbox.c -Iinclude -Ltarget/capi/lib -lhookbox -lpthread -o outbox && ./outbox
//
// It registers a webhook, lets the endpoint prove that it wants it, emits an event, and sees it delivered, signed
// and verified.
#include <hookbox.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define APP HOOKBOX_STR("54e9ujn")
#define TOKEN HOOKBOX_STR("a token that both sides know")

// Ends the program where a call has failed.
static void must(hookbox_status status, hookbox_error *error) {
    if (status == HOOKBOX_OK) return;
    fprintf(stderr, "%s: %s\n", error->code.ptr, error->message.ptr);
    hookbox_error_free(error);
    exit(1);
}

// ---- The endpoint: an HTTP server that takes one request after the other. ----

typedef struct endpoint {
    int listener;
    hookbox_verifier *verifier;
} endpoint;

// Answers, and closes the connection.
static void answer(int connection, int status, hookbox_str body) {
    char head[128];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %d -\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                          status, body.len);
    if (send(connection, head, (size_t)length, MSG_NOSIGNAL) == length && body.len > 0) {
        (void)!send(connection, body.ptr, body.len, MSG_NOSIGNAL);
    }
    close(connection);
}

// The activation challenge: proves that whoever registered this endpoint knows the token.
static void prove_ownership(int connection, char *request) {
    char *query = strchr(request, '?');
    char *end = query != NULL ? strchr(query, ' ') : NULL;
    if (end == NULL) {
        answer(connection, 400, hookbox_cstr(NULL));
        return;
    }
    *end = '\0';
    hookbox_challenge_answer *proof = NULL;
    hookbox_error *error = NULL;
    if (hookbox_answer_challenge(hookbox_cstr(query + 1), TOKEN, &proof, &error) != HOOKBOX_OK) {
        fprintf(stderr, "refused a challenge: %s\n", error->message.ptr);
        hookbox_error_free(error);
        answer(connection, 401, hookbox_cstr(NULL));
        return;
    }
    printf("endpoint: asked to prove its ownership, answers %s\n", proof->body.ptr);
    answer(connection, proof->http_status, proof->body);
    hookbox_challenge_answer_free(proof);
}

// A delivery: verifies it before it believes a word. Returns whether it was genuine.
static bool take_events(const endpoint *it, int connection, const hookbox_pair *headers, size_t count,
                        hookbox_str body) {
    hookbox_received *received = NULL;
    hookbox_error *error = NULL;
    if (hookbox_verify(it->verifier, headers, count, body, 0, &received, &error) != HOOKBOX_OK) {
        fprintf(stderr, "refused a request: %s\n", error->message.ptr);
        hookbox_error_free(error);
        answer(connection, 401, hookbox_cstr(NULL));
        return false;
    }
    for (size_t i = 0; i < received->count; i++) {
        const hookbox_received_event *event = received->items[i];
        // A real one remembers the id: an event may come twice.
        printf("endpoint: verified %s %s\n", event->event_type.ptr, event->payload.ptr);
    }
    hookbox_received_free(received);
    answer(connection, 200, hookbox_cstr(NULL));
    return true;
}

// Takes the headers apart where they stand; returns how many there are.
static size_t headers_of(char *line, const char *end, hookbox_pair *headers, size_t max) {
    size_t count = 0;
    while (line < end && count < max) {
        char *colon = strchr(line, ':'), *next = strstr(line, "\r\n");
        if (colon == NULL || next == NULL || colon > next) break;
        headers[count].name.ptr = line;
        headers[count].name.len = (size_t)(colon - line);
        headers[count].value.ptr = colon + 2; // "Name: value", as hookbox writes it.
        headers[count++].value.len = (size_t)(next - colon - 2);
        line = next + 2;
    }
    return count;
}

// Takes requests until a genuine delivery has come.
static void *serve(void *data) {
    const endpoint *it = data;
    static char request[65536];
    for (;;) {
        int connection = accept(it->listener, NULL, NULL);
        size_t length = 0, whole = sizeof request - 1, count = 0;
        char *body = NULL;
        hookbox_pair headers[64];
        while (length < whole) {
            ssize_t more = recv(connection, request + length, whole - length, 0);
            if (more <= 0) break;
            request[length += (size_t)more] = '\0';
            char *end = strstr(request, "\r\n\r\n");
            if (body != NULL || end == NULL) continue;
            body = end + 4;
            count = headers_of(strstr(request, "\r\n") + 2, end, headers, 64);
            whole = (size_t)(body - request);
            for (size_t i = 0; i < count; i++) {
                if (headers[i].name.len == 14 && strncasecmp(headers[i].name.ptr, "content-length", 14) == 0) {
                    whole += strtoul(headers[i].value.ptr, NULL, 10);
                }
            }
            if (whole >= sizeof request) break; // Larger than this endpoint takes.
        }
        if (body == NULL || length != whole) {
            answer(connection, 400, hookbox_cstr(NULL));
        } else if (strncmp(request, "GET ", 4) == 0) {
            prove_ownership(connection, request);
        } else {
            hookbox_str bytes = {body, length - (size_t)(body - request)};
            if (take_events(it, connection, headers, count, bytes)) return NULL;
        }
    }
}

// Listens on a free port of this machine; returns the port.
static int listen_here(endpoint *it) {
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    it->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(it->listener, (struct sockaddr *)&address, length) != 0 || listen(it->listener, 16) != 0 ||
        getsockname(it->listener, (struct sockaddr *)&address, &length) != 0) {
        perror("listen");
        exit(1);
    }
    return ntohs(address.sin_port);
}

// ---- The program that sends. ----

// Opens the box: one file. Endpoints on this machine and without TLS are for examples only.
static hookbox_box *open_box(const char *path) {
    hookbox_error *error = NULL;
    hookbox_options *options = NULL;
    hookbox_box *box = NULL;
    must(hookbox_options_new(&options, &error), error);
    must(hookbox_options_set_allow_http(options, true, &error), error);
    must(hookbox_options_allow_network(options, HOOKBOX_STR("127.0.0.0/8"), &error), error);
    must(hookbox_open(hookbox_cstr(path), options, &box, &error), error);
    hookbox_options_free(options);
    return box;
}

// Registers the endpoint for users that are created, and activates it.
static void register_webhook(hookbox_box *box, const char *url) {
    hookbox_error *error = NULL;
    const hookbox_str types[] = {HOOKBOX_STR("user.created")};
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    config.url = hookbox_cstr(url);
    config.verification_token = TOKEN;
    config.events = HOOKBOX_EVENTS_ONLY;
    config.event_types = types;
    config.event_type_count = 1;
    hookbox_webhook *webhook = NULL;
    must(hookbox_webhook_create(box, APP, &config, &webhook, &error), error);
    printf("sender: registered %s at %s\n", webhook->id.ptr, webhook->url.ptr);
    must(hookbox_webhook_activate(box, APP, webhook->id, NULL, &error), error);
    printf("sender: it is active\n");
    hookbox_webhook_free(webhook);
}

// What an endpoint verifies with. A real one fetches the set from where the sender publishes it.
static hookbox_verifier *verifier_for(hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_texts *jwks = NULL;
    hookbox_verifier *verifier = NULL;
    must(hookbox_jwks(box, APP, &jwks, &error), error);
    must(hookbox_verifier_new(HOOKBOX_VERIFY_PRELUDE, jwks->items, 1, NULL, &verifier, &error), error);
    hookbox_texts_free(jwks);
    return verifier;
}

int main(void) {
    hookbox_error *error = NULL;
    must(hookbox_version_check(HOOKBOX_VERSION_NUMBER, &error), error);
    printf("hookbox %s on SQLite %s\n", hookbox_version(), hookbox_sqlite_version());

    char folder[] = "/tmp/outbox-XXXXXX", path[64], url[64];
    if (mkdtemp(folder) == NULL) {
        perror("mkdtemp");
        return 1;
    }
    snprintf(path, sizeof path, "%s/outbox.db", folder);
    hookbox_box *box = open_box(path);
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    app.id = APP;
    must(hookbox_app_create(box, &app, NULL, &error), error);

    endpoint receiver;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/hooks", listen_here(&receiver));
    receiver.verifier = verifier_for(box);
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, &receiver) != 0) return 1;

    register_webhook(box, url);
    must(hookbox_box_start(box, &error), error);
    hookbox_id id;
    must(hookbox_emit(box, APP, HOOKBOX_STR("user.created"), HOOKBOX_STR("{\"user_id\":\"usr_1\"}"), &id, &error),
         error);
    printf("sender: emitted %s; from here on it survives a power failure\n", id.text);

    pthread_join(thread, NULL); // The endpoint has it.
    bool idle = false;
    must(hookbox_box_wait_idle(box, 10000, &idle, &error), error);
    hookbox_event_story *story = NULL;
    must(hookbox_event_explain(box, hookbox_id_str(&id), &story, &error), error);
    for (size_t i = 0; i < story->batch_count; i++) {
        for (size_t j = 0; j < story->batches[i]->sentence_count; j++) {
            printf("sender: %s\n", story->batches[i]->sentences[j].ptr);
        }
    }
    hookbox_event_story_free(story);
    must(hookbox_box_close(box, 5000, &error), error);
    hookbox_box_free(box);
    hookbox_verifier_free(receiver.verifier);
    close(receiver.listener);
    unlink(path);
    rmdir(folder);
    return idle ? 0 : 1;
}
