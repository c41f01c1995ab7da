// A receiver's side: all three schemes against tests/vectors, published examples and what the box sends; an
// unknown key; tampering; the challenge.
#include "scenarios.h"
#include "receiver.h"

static hookbox_verifier *verifier_of(int32_t scheme, const hookbox_str *keys, size_t count,
                                     const hookbox_verify_options *options) {
    hookbox_error *error = NULL;
    hookbox_verifier *verifier = NULL;
    OK(hookbox_verifier_new(scheme, keys, count, options, &verifier, &error));
    return verifier;
}

// "rsassa-pss-sha256=" and the signature in base64. The text must be freed.
static char *header_of(const char *file) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bytes;
    unsigned char *raw = (unsigned char *)read_file(file, &bytes);
    CHECK(bytes == 256); // Not a multiple of three: two '=' at the end.
    char *text = malloc(512);
    char *to = text + sprintf(text, "rsassa-pss-sha256=");
    for (size_t i = 0; i < bytes; i += 3) {
        unsigned three = (unsigned)raw[i] << 16;
        if (i + 1 < bytes) three |= (unsigned)raw[i + 1] << 8 | raw[i + 2];
        *to++ = DIGITS[three >> 18];
        *to++ = DIGITS[three >> 12 & 63];
        *to++ = i + 1 < bytes ? DIGITS[three >> 6 & 63] : '=';
        *to++ = i + 1 < bytes ? DIGITS[three & 63] : '=';
    }
    *to = '\0';
    free(raw);
    return text;
}

static void openssl_vectors(void) {
    hookbox_error *error = NULL;
    size_t bytes;
    char *pem = read_file("tests/vectors/rsa2048_pkcs8_test_only.pem", &bytes);
    hookbox_box *box = NULL;
    OK(hookbox_open_in_memory(NULL, &box, &error));
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    app.id = APP;
    app.key_pem = hookbox_cstr(pem);
    app.key_id = S("vector");
    OK(hookbox_app_create(box, &app, NULL, &error));
    free(pem);
    hookbox_texts *jwks = NULL;
    OK(hookbox_jwks(box, APP, &jwks, &error));
    hookbox_verify_options any_salt = HOOKBOX_VERIFY_OPTIONS_INIT;
    any_salt.any_salt = true;
    hookbox_verifier *strict = verifier_of(HOOKBOX_VERIFY_PRELUDE, jwks->items, 1, NULL);
    hookbox_verifier *lax = verifier_of(HOOKBOX_VERIFY_PRELUDE, jwks->items, 1, &any_salt);
    hookbox_texts_free(jwks);
    close_box(box);

    hookbox_str body;
    char *body_text = read_file("tests/vectors/body.json", &bytes);
    body.ptr = body_text;
    body.len = bytes;
    char *salt32 = header_of("tests/vectors/openssl_salt32.sig");
    char *longest = header_of("tests/vectors/openssl_saltmax.sig");
    hookbox_pair headers[] = {{S("x-webhook-signature-KEY-ID"), S("vector")},
                              {S("X-Webhook-Signature"), hookbox_cstr(salt32)}};
    hookbox_received *received = NULL;
    OK(hookbox_verify(strict, headers, 2, body, 0, &received, &error));
    CHECK(received->count == 1 && same(received->items[0]->id, "evt_1"));
    CHECK(same(received->items[0]->payload, "{\"user_id\":\"usr_1\",\"n\":1.50}"));
    CHECK(same(received->items[0]->created_at, "2025-03-15T10:30:00Z"));
    hookbox_received_free(received);
    headers[1].value = hookbox_cstr(longest);
    FAILS(hookbox_verify(strict, headers, 2, body, 0, &received, &error), HOOKBOX_NOT_AUTHENTIC);
    OK(hookbox_verify(lax, headers, 2, body, 0, &received, &error));
    hookbox_received_free(received);
    // An unknown key, a tampered body, no signature, a header with bytes that are no text.
    headers[0].value = S("rotated in");
    FAILS(hookbox_verify(lax, headers, 2, body, 0, &received, &error), HOOKBOX_UNKNOWN_KEY);
    headers[0].value = S("vector");
    body_text[20] ^= 1;
    FAILS(hookbox_verify(lax, headers, 2, body, 0, &received, &error), HOOKBOX_NOT_AUTHENTIC);
    body_text[20] ^= 1;
    FAILS(hookbox_verify(lax, headers, 1, body, 0, &received, &error), HOOKBOX_NOT_AUTHENTIC);
    FAILS(hookbox_verify(lax, NULL, 0, body, 0, &received, &error), HOOKBOX_NOT_AUTHENTIC);
    headers[1].value = S("\xff\xfe");
    FAILS(hookbox_verify(lax, headers, 2, body, 0, &received, &error), HOOKBOX_NOT_AUTHENTIC);
    hookbox_verifier_free(strict);
    hookbox_verifier_free(lax);
    free(body_text);
    free(salt32);
    free(longest);
}

static void published_examples(void) {
    hookbox_error *error = NULL;
    hookbox_received *received = NULL;
    // Fingerprint's HMAC of "data" under "secret": the signature holds, but that is no JSON.
    const hookbox_str secret[] = {S("secret")};
    hookbox_verifier *verifier = verifier_of(HOOKBOX_VERIFY_FINGERPRINT, secret, 1, NULL);
    hookbox_pair signature = {S("fpjs-event-signature"),
                              S("v1=1b2c16b75bd2a870c114153ccda5bcfca63314bc722fa160d690de133ccbb9db")};
    hookbox_status got = hookbox_verify(verifier, &signature, 1, S("data"), 0, &received, &error);
    CHECK(got == HOOKBOX_NOT_AUTHENTIC || got == HOOKBOX_OK);
    bool body_is_the_matter = got == HOOKBOX_OK || !contains(error->message, "ignature");
    CHECK(body_is_the_matter);
    if (got == HOOKBOX_OK) hookbox_received_free(received);
    hookbox_error_free(error);
    error = NULL;
    FAILS(hookbox_verify(verifier, &signature, 1, S("date"), 0, &received, &error), HOOKBOX_NOT_AUTHENTIC);
    hookbox_verifier_free(verifier);

    // The example of Standard Webhooks' specification, whose time is in 2021; its body is no envelope.
    const hookbox_str whsec[] = {S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")};
    verifier = verifier_of(HOOKBOX_VERIFY_STANDARD, whsec, 1, NULL);
    const hookbox_pair headers[] = {
        {S("webhook-id"), S("msg_p5jXN8AQM9LWM0D4loKWxJek")},
        {S("webhook-timestamp"), S("1614265330")},
        {S("webhook-signature"), S("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")}};
    hookbox_str body = S("{\"test\": 2432232314}");
    got = hookbox_verify(verifier, headers, 3, body, INT64_C(1614265330000), &received, &error);
    CHECK(got == HOOKBOX_NOT_AUTHENTIC || got == HOOKBOX_OK);
    CHECK(got == HOOKBOX_OK || !contains(error->message, "ignature"));
    if (got == HOOKBOX_OK) hookbox_received_free(received);
    hookbox_error_free(error);
    error = NULL;
    FAILS(hookbox_verify(verifier, headers, 3, body, 0, &received, &error), HOOKBOX_NOT_AUTHENTIC); // Too old.
    hookbox_verifier_free(verifier);
    const hookbox_str bad[] = {S("whsec_@@@@")};
    FAILS(hookbox_verifier_new(HOOKBOX_VERIFY_STANDARD, bad, 1, NULL, &verifier, &error), HOOKBOX_INVALID_KEY);
    FAILS(hookbox_verifier_new(HOOKBOX_VERIFY_PRELUDE, bad, 1, NULL, &verifier, &error), HOOKBOX_INVALID_KEY);
    FAILS(hookbox_verifier_new(17, bad, 1, NULL, &verifier, &error), HOOKBOX_INVALID_ARGUMENT);
    FAILS(hookbox_verifier_new(HOOKBOX_VERIFY_PRELUDE, NULL, 1, NULL, &verifier, &error),
          HOOKBOX_INVALID_ARGUMENT);
}

// What the box sends under a profile that signs with the webhook's secrets.
static void what_is_sent(const char *profile, int32_t scheme) {
    hookbox_error *error = NULL;
    receiver *endpoint = receiver_start();
    hookbox_options *options = test_options();
    // Fingerprint's endpoints have names, not addresses.
    hookbox_box *box = box_with_app(options, profile);
    hookbox_options_free(options);
    const char *port = strrchr(receiver_url(endpoint), ':');
    char url[64];
    snprintf(url, sizeof url, "http://localhost%s", port);
    hookbox_error *refused = NULL;
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    config.url = scheme == HOOKBOX_VERIFY_FINGERPRINT ? hookbox_cstr(url) : hookbox_cstr(receiver_url(endpoint));
    config.verification_token = S("token");
    config.events = HOOKBOX_EVENTS_ALL;
    hookbox_webhook *webhook = NULL;
    OK(hookbox_webhook_create(box, APP, &config, &webhook, &error));
    CHECK(refused == NULL);
    OK(hookbox_webhook_activate(box, APP, webhook->id, NULL, &error));
    size_t before = receiver_wait(endpoint, 0); // Fingerprint's activation sends a test event.
    hookbox_texts *secrets = NULL;
    OK(hookbox_webhook_signing_secrets(box, APP, webhook->id, &secrets, &error));
    hookbox_webhook_free(webhook);
    hookbox_verifier *verifier = verifier_of(scheme, secrets->items, secrets->count, NULL);
    hookbox_texts_free(secrets);
    OK(hookbox_box_start(box, &error));
    OK(hookbox_emit(box, APP, TYPE, S("{\"n\": 1.0}"), NULL, &error));
    CHECK(receiver_wait(endpoint, before + 1) == before + 1);
    const received_request *request = receiver_request(endpoint, before);
    hookbox_received *received = NULL;
    OK(hookbox_verify(verifier, request->headers, request->header_count, request->body, 0, &received, &error));
    CHECK(received->count == 1 && same(received->items[0]->payload, "{\"n\": 1.0}"));
    hookbox_received_free(received);
    request->text[request->body.ptr - request->text + 2] ^= 1;
    FAILS(hookbox_verify(verifier, request->headers, request->header_count, request->body, 0, &received, &error),
          HOOKBOX_NOT_AUTHENTIC);
    hookbox_verifier_free(verifier);
    close_box(box);
    receiver_stop(endpoint);
}

static void the_challenge(void) {
    hookbox_error *error = NULL;
    hookbox_challenge_answer *answer = NULL;
    OK(hookbox_answer_challenge(S("event=activate&verification_token=token&challenge=123&app_id=a"), S("token"),
                                &answer, &error));
    CHECK(answer->http_status == 200 && answer->challenge == 123 && same(answer->app_id, "a"));
    CHECK(contains(answer->body, "123") && contains(answer->content_type, "application/json"));
    hookbox_challenge_answer_free(answer);
    FAILS(hookbox_answer_challenge(S("event=activate&verification_token=other&challenge=1"), S("token"), &answer,
                                   &error),
          HOOKBOX_NOT_AUTHENTIC);
}

void verify(void) {
    openssl_vectors();
    published_examples();
    what_is_sent("fingerprint", HOOKBOX_VERIFY_FINGERPRINT);
    what_is_sent("standard_webhooks", HOOKBOX_VERIFY_STANDARD);
    the_challenge();
}
