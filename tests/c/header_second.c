// See header_first.c: this file has the headers the other way round.
#include <hookbox/sys.h>
#include <hookbox.h>

#ifdef __cplusplus
extern "C"
#endif
    unsigned
    second_file(void);

unsigned second_file(void) {
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;
    hookbox_outcome outcome = HOOKBOX_OUTCOME_INIT;
    hookbox_verify_options verify = HOOKBOX_VERIFY_OPTIONS_INIT;
    hookbox_kv kv = HOOKBOX_KV_INIT;
    hookbox_transport transport = HOOKBOX_TRANSPORT_INIT;
    hookbox_signer signer = HOOKBOX_SIGNER_INIT;
    hookbox_clock clock = HOOKBOX_CLOCK_INIT;
    bool well = app.struct_size == sizeof app && config.struct_size == sizeof config &&
                event.struct_size == sizeof event && outcome.struct_size == sizeof outcome &&
                verify.struct_size == sizeof verify && kv.struct_size == sizeof kv &&
                transport.struct_size == sizeof transport && signer.struct_size == sizeof signer &&
                clock.struct_size == sizeof clock && kv.scan == NULL && config.url.len == 0;
    return well ? HOOKBOX_VERSION_NUMBER : 0;
}
