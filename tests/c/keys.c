// Signing keys: rotating, retiring, the JWK set, resealing, and a key that stays with the program.
#include "scenarios.h"
#include "world.h"

static hookbox_key_list *list(const hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_key_list *all = NULL;
    OK(hookbox_keys(box, APP, &all, &error));
    return all;
}

static bool published(const hookbox_box *box, const char *kid) {
    hookbox_error *error = NULL;
    hookbox_texts *jwks = NULL;
    OK(hookbox_jwks(box, APP, &jwks, &error));
    CHECK(jwks->count == 1 && !contains(jwks->items[0], "\"d\""));
    bool found = contains(jwks->items[0], kid);
    hookbox_texts_free(jwks);
    return found;
}

// Gives the id of the key that signs in the end.
static void rotating(hookbox_box *box, char *third, size_t room) {
    hookbox_error *error = NULL;
    size_t bytes;
    char *pem = read_file("tests/vectors/rsa2048_pkcs8_test_only.pem", &bytes);
    hookbox_key *key = NULL;
    OK(hookbox_key_rotate(box, APP, 0, hookbox_cstr(pem), S("second"), 3600000, &key, &error));
    free(pem);
    CHECK(same(key->kid, "second") && key->phase == HOOKBOX_KEY_NEXT && key->has_private_part);
    CHECK(key->created_at_ms == START_MS && key->signs_from_ms == START_MS + 3600000);
    CHECK(contains(key->public_jwk, "\"n\"") && !contains(key->public_jwk, "\"d\""));
    hookbox_key_free(key);
    CHECK(published(box, "second"));
    hookbox_key_list *all = list(box);
    CHECK(all->count == 2 && all->items[0]->phase == HOOKBOX_KEY_ACTIVE);
    CHECK(all->items[0]->signs_until_ms == START_MS + 3600000);
    char first[64];
    snprintf(first, sizeof first, "%s", all->items[0]->kid.ptr);
    hookbox_key_list_free(all);

    FAILS(hookbox_key_rotate(box, APP, 2048, S(""), S("third"), 0, NULL, &error), HOOKBOX_INVALID_REQUEST);
    OK(hookbox_key_rotate(box, APP, 2048, S(""), S(""), 0, &key, &error));
    snprintf(third, room, "%s", key->kid.ptr);
    CHECK(key->phase == HOOKBOX_KEY_ACTIVE);
    hookbox_key_free(key);
    OK(hookbox_key_retire(box, APP, hookbox_cstr(first), 0, &key, &error));
    CHECK(key->phase == HOOKBOX_KEY_GONE);
    hookbox_key_free(key);
    CHECK(published(box, third));
    CHECK(!published(box, first));
    FAILS(hookbox_key_retire(box, APP, S("no-such"), 0, NULL, &error), HOOKBOX_KEY_NOT_FOUND);
    FAILS(hookbox_key_rotate(box, APP, 0, S("no PEM"), S(""), 0, NULL, &error), HOOKBOX_INVALID_KEY);
    FAILS(hookbox_key_rotate(box, APP, 1023, S(""), S(""), 0, NULL, &error), HOOKBOX_INVALID_KEY);
}

static void resealing(void) {
    hookbox_error *error = NULL;
    uint8_t old[32], new[32];
    memset(old, 1, sizeof old);
    memset(new, 2, sizeof new);
    char path[128];
    snprintf(path, sizeof path, "%s", fresh_path("sealed.db"));
    hookbox_options *options = test_options();
    OK(hookbox_options_set_key_encryption_key(options, old, NULL, 0, &error));
    hookbox_box *box = NULL;
    OK(hookbox_open(hookbox_cstr(path), options, &box, &error));
    create_app(box, "");
    close_box(box);
    OK(hookbox_options_set_key_encryption_key(options, new, old, 1, &error));
    OK(hookbox_open(hookbox_cstr(path), options, &box, &error));
    size_t count = 0;
    OK(hookbox_keys_reseal(box, &count, &error));
    CHECK(count == 1);
    OK(hookbox_keys_reseal(box, &count, &error));
    CHECK(count == 0);
    close_box(box);
    // With the old key alone it does not open any more.
    OK(hookbox_options_set_key_encryption_key(options, old, NULL, 0, &error));
    OK(hookbox_open(hookbox_cstr(path), options, &box, &error));
    FAILS(hookbox_keys_reseal(box, NULL, &error), HOOKBOX_SEAL_BROKEN);
    OK(hookbox_box_close(box, 0, &error));
    hookbox_box_free(box);
    hookbox_options_free(options);
}

static void secrets(void) {
    hookbox_error *error = NULL;
    world w;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    hookbox_box *box = box_with_app(options, "standard_webhooks");
    hookbox_options_free(options);
    hookbox_id webhook = active_webhook(box, "http://127.0.0.1:9999/hooks");
    hookbox_texts *texts = NULL;
    OK(hookbox_webhook_signing_secrets(box, APP, hookbox_id_str(&webhook), &texts, &error));
    CHECK(texts->count == 1 && contains(texts->items[0], "whsec_"));
    hookbox_texts_free(texts);
    OK(hookbox_webhook_roll_signing_secret(box, APP, hookbox_id_str(&webhook),
                                           S("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), true, &texts, &error));
    CHECK(texts->count == 1 && same(texts->items[0], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    hookbox_texts_free(texts);
    OK(hookbox_webhook_signing_secrets(box, APP, hookbox_id_str(&webhook), &texts, &error));
    CHECK(texts->count == 2);
    hookbox_texts_free(texts);
    close_box(box);
    world_end(&w);
}

static int signer_calls, signer_ends;

static hookbox_status sign(void *context, const uint8_t *sha256, uint8_t *signature, size_t bytes_max,
                           size_t *out_bytes, hookbox_error **error) {
    (void)context;
    CHECK(sha256 != NULL && bytes_max >= 256);
    if (++signer_calls == 1) {
        *error = hookbox_error_new(HOOKBOX_KEY_UNAVAILABLE, S("the key server is away"));
        return HOOKBOX_KEY_UNAVAILABLE;
    }
    memset(signature, 7, 256); // hookbox cannot tell: it has no use for the public part here.
    *out_bytes = 256;
    return HOOKBOX_OK;
}

static void end_signer(void *context) {
    (void)context;
    signer_ends++;
}

static void staying_away(hookbox_box *box, world *w, const char *third) {
    hookbox_error *error = NULL;
    hookbox_key_list *all = list(box);
    hookbox_str jwk = hookbox_cstr(NULL);
    for (size_t i = 0; i < all->count; i++) {
        if (same(all->items[i]->kid, third)) jwk = all->items[i]->public_jwk;
    }
    char other[2048]; // Another kid: a JWK of the same numbers.
    const char *kid = strstr(jwk.ptr, third);
    CHECK(kid != NULL && jwk.len < sizeof other);
    snprintf(other, sizeof other, "%.*saway.%s", (int)(kid - jwk.ptr), jwk.ptr, kid + strlen(third));
    hookbox_key_list_free(all);

    hookbox_signer signer = HOOKBOX_SIGNER_INIT;
    signer.sign = sign;
    signer.destroy = end_signer;
    FAILS(hookbox_key_rotate_to_signer(box, APP, S("{}"), &signer, 0, NULL, &error), HOOKBOX_INVALID_KEY);
    CHECK(signer_ends == 1);
    hookbox_key *key = NULL;
    OK(hookbox_key_rotate_to_signer(box, APP, hookbox_cstr(other), &signer, 0, &key, &error));
    CHECK(same(key->kid, "away.") && !key->has_private_part && key->phase == HOOKBOX_KEY_ACTIVE);
    hookbox_key_free(key);
    active_webhook(box, "http://127.0.0.1:9999/hooks");
    OK(hookbox_emit(box, APP, TYPE, S("1"), NULL, &error));
    world_poll(box, NULL);
    CHECK(signer_calls == 1 && w->deliveries == 0); // Our fault: tried again in a minute.
    world_set(w, START_MS + 61000, 200);
    world_poll(box, NULL);
    CHECK(w->deliveries == 1 && signer_calls == 2);
    OK(hookbox_key_register_signer(box, APP, S("away."), &signer, &error));
    CHECK(signer_ends == 2); // The one before was replaced.
    FAILS(hookbox_key_register_signer(box, S("no id!"), S("away."), &signer, &error), HOOKBOX_APP_NOT_FOUND);
    CHECK(signer_ends == 3);
}

void keys(void) {
    world w;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    hookbox_box *box = box_with_app(options, "");
    hookbox_options_free(options);
    char third[64];
    rotating(box, third, sizeof third);
    staying_away(box, &w, third);
    close_box(box);
    CHECK(signer_ends == 4);
    world_end(&w);
    resealing();
    secrets();
}
