#include "receiver.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define REQUEST_BYTES_MAX (1024 * 1024)

struct receiver {
    int listener;
    char url[64];
    pthread_t threads[THREADS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int status;
    bool hold;
    bool stopping;
    received_request **requests;
    size_t count;
    size_t room;
};

static void say(int socket, const char *text, size_t bytes) {
    while (bytes > 0) {
        ssize_t sent = send(socket, text, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return; // The sender has gone: its affair.
        text += sent;
        bytes -= (size_t)sent;
    }
}

static void answer(int socket, int status, hookbox_str body) {
    char head[256];
    int bytes = snprintf(head, sizeof head,
                         "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                         "Connection: close\r\n\r\n",
                         status, body.len);
    say(socket, head, (size_t)bytes);
    say(socket, body.ptr, body.len);
}

// Reads a request; NULL when it does not come whole.
static received_request *read_request(int socket) {
    received_request *request = calloc(1, sizeof *request);
    request->text = malloc(REQUEST_BYTES_MAX);
    size_t bytes = 0, wanted = REQUEST_BYTES_MAX - 1, head = 0;
    while (bytes < wanted) {
        ssize_t more = recv(socket, request->text + bytes, wanted - bytes, 0);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) break;
        bytes += (size_t)more;
        request->text[bytes] = '\0';
        char *end = strstr(request->text, "\r\n\r\n");
        if (head > 0 || end == NULL) continue;
        head = (size_t)(end - request->text) + 4;
        size_t body = 0;
        for (char *line = strstr(request->text, "\r\n"); line < end; line = strstr(line + 2, "\r\n")) {
            char *name = line + 2, *colon = strchr(name, ':');
            char *line_end = strstr(name, "\r\n");
            if (colon == NULL || colon > line_end || request->header_count == RECEIVED_HEADERS_MAX) continue;
            char *value = colon + 1;
            while (*value == ' ') value++;
            hookbox_pair *pair = &request->headers[request->header_count++];
            pair->name.ptr = name;
            pair->name.len = (size_t)(colon - name);
            pair->value.ptr = value;
            pair->value.len = (size_t)(line_end - value);
            if (pair->name.len == 14 && strncasecmp(name, "content-length", 14) == 0) {
                body = (size_t)strtoul(value, NULL, 10);
            }
        }
        CHECK(head + body < REQUEST_BYTES_MAX);
        wanted = head + body;
    }
    if (head == 0 || bytes < wanted) {
        free(request->text);
        free(request);
        return NULL;
    }
    request->body.ptr = request->text + head;
    request->body.len = bytes - head;
    return request;
}

static void free_request(received_request *request) {
    free(request->text);
    free(request);
}

static void answer_challenge(int socket, char *text) {
    hookbox_error *error = NULL;
    char *query = strchr(text, '?');
    char *end = query != NULL ? strchr(query, ' ') : NULL;
    hookbox_str asked = {query + 1, end != NULL ? (size_t)(end - query - 1) : 0};
    hookbox_challenge_answer *reply = NULL;
    if (query == NULL || end == NULL ||
        hookbox_answer_challenge(asked, S("token"), &reply, &error) != HOOKBOX_OK) {
        hookbox_error_free(error);
        answer(socket, 401, S(""));
        return;
    }
    answer(socket, reply->http_status, reply->body);
    hookbox_challenge_answer_free(reply);
}

// Keeps a delivery; returns the status to answer with. Caller holds no lock.
static int keep(receiver *it, received_request *request) {
    pthread_mutex_lock(&it->lock);
    if (it->count == it->room) {
        it->room = it->room * 2 + 16;
        it->requests = realloc(it->requests, it->room * sizeof *it->requests);
    }
    it->requests[it->count++] = request;
    pthread_cond_broadcast(&it->changed);
    while (it->hold && !it->stopping) pthread_cond_wait(&it->changed, &it->lock);
    int status = it->status;
    pthread_mutex_unlock(&it->lock);
    return status;
}

static void *serve(void *data) {
    receiver *it = data;
    for (;;) {
        int socket = accept(it->listener, NULL, NULL);
        if (socket < 0 && errno == EINTR) continue;
        if (socket < 0) return NULL; // receiver_stop() shut the listener down.
        struct timeval patience = {10, 0};
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        received_request *request = read_request(socket);
        if (request != NULL && strncmp(request->text, "GET ", 4) == 0) {
            answer_challenge(socket, request->text);
            free_request(request);
        } else if (request != NULL) {
            answer(socket, keep(it, request), S(""));
        }
        close(socket);
    }
}

receiver *receiver_start(void) {
    receiver *it = calloc(1, sizeof *it);
    it->status = 200;
    pthread_mutex_init(&it->lock, NULL);
    pthread_cond_init(&it->changed, NULL);
    it->listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    CHECK(bind(it->listener, (struct sockaddr *)&address, bytes) == 0);
    CHECK(listen(it->listener, 128) == 0);
    CHECK(getsockname(it->listener, (struct sockaddr *)&address, &bytes) == 0);
    snprintf(it->url, sizeof it->url, "http://127.0.0.1:%d/hooks", ntohs(address.sin_port));
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&it->threads[i], NULL, serve, it) == 0);
    return it;
}

void receiver_stop(receiver *it) {
    pthread_mutex_lock(&it->lock);
    it->stopping = true;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    shutdown(it->listener, SHUT_RDWR);
    for (size_t i = 0; i < THREADS; i++) pthread_join(it->threads[i], NULL);
    close(it->listener);
    for (size_t i = 0; i < it->count; i++) free_request(it->requests[i]);
    free(it->requests);
    pthread_cond_destroy(&it->changed);
    pthread_mutex_destroy(&it->lock);
    free(it);
}

const char *receiver_url(const receiver *it) {
    return it->url;
}

void receiver_answer(receiver *it, int status) {
    pthread_mutex_lock(&it->lock);
    it->status = status;
    pthread_mutex_unlock(&it->lock);
}

void receiver_hold(receiver *it, bool on) {
    pthread_mutex_lock(&it->lock);
    it->hold = on;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
}

size_t receiver_wait(receiver *it, size_t count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&it->lock);
    int waited = 0;
    while (it->count < count && waited == 0) waited = pthread_cond_timedwait(&it->changed, &it->lock, &until);
    size_t came = it->count;
    pthread_mutex_unlock(&it->lock);
    return came;
}

const received_request *receiver_request(receiver *it, size_t index) {
    pthread_mutex_lock(&it->lock);
    CHECK(index < it->count);
    const received_request *request = it->requests[index];
    pthread_mutex_unlock(&it->lock);
    return request;
}

hookbox_str received_header(const received_request *request, const char *name) {
    for (size_t i = 0; i < request->header_count; i++) {
        hookbox_str found = request->headers[i].name;
        if (found.len == strlen(name) && strncasecmp(found.ptr, name, found.len) == 0) {
            return request->headers[i].value;
        }
    }
    return hookbox_cstr(NULL);
}
