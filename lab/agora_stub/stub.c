/* A stand-in for Agora's native library. It proves nothing about the real one: not its ABI, its timing or its cloud.
 *
 * The functions below are what the Python package agora-python-server-sdk calls to join, speak and listen; generate.py
 * adds one that returns 0 for every other symbol the package looks up, and the numbers of the callbacks (CONN_on_...,
 * AUDIO_on_..., USER_on_...) from the order in which the package declares them.
 *
 * Each connection talks to the hub (hub.py) over a SOCK_SEQPACKET socket at $AGORA_STUB_SOCKET. A datagram is
 * {uint8 kind, uint8[3] zero, int32 a, int32 b} and then the payload. One thread a connection reads it and calls back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "stub_symbols.h"

#define TEXT 4096
#define DATAGRAM_MAX 65536
#define SUBSCRIBED_MAX 64
#define RETRY_MS 100

struct head { uint8_t kind, zero[3]; int32_t a, b; };

struct conn_info { uint64_t id; const char *channel; int state; const char *user; unsigned uid; };

struct audio_frame {
    int type, samples_per_channel, bytes_per_sample, channels, samples_per_sec;
    void *buffer;
    int64_t render_time_ms;
    int avsync_type;
    int64_t presentation_ms;
    int audio_track_number;
    uint32_t rtp_timestamp;
    int far_field_flag, rms, voice_prob, music_prob, pitch;
};

struct service_config {
    int enable_audio_processor, enable_audio_device, enable_video;
    void *context;
    const char *app_id;
    unsigned area_code;
    int channel_profile, audio_scenario;
};

struct conn {
    int fd;
    int stop, running, joined, was_joined, push_error, pushes_to_fail, hang_ms;
    int role, rate, channels, auto_subscribe, profile, scenario, published;
    char token[TEXT], channel[128], user[32];
    int subscribed[SUBSCRIBED_MAX], all;
    pthread_t thread;
    pthread_mutex_t send_lock; /* the descriptor and what is sent again after a reconnection */
    pthread_mutex_t call_lock; /* held while a callback runs: unregistering waits for it */
    void **conn_observer, **audio_observer, **user_observer;
};

struct sender { struct conn *conn; };

static char app_id[128];
static int service_scenario;
static int dummy; /* what handles of no consequence point to */

/* --- the hub ------------------------------------------------------------------------------------------------------ */

static int hub_open(void) {
    const char *path = getenv("AGORA_STUB_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, size = 1 << 20;
    if (!path || strlen(path) >= sizeof address.sun_path) return -1;
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) { close(fd); return -1; }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return fd;
}

static void send_locked(struct conn *c, int kind, int a, int b, const void *data, size_t size) {
    struct head head = {.kind = (uint8_t)kind, .a = a, .b = b};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (c->fd >= 0) sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void tell(struct conn *c, int kind, int a, int b, const void *data, size_t size) {
    pthread_mutex_lock(&c->send_lock);
    send_locked(c, kind, a, b, data, size);
    pthread_mutex_unlock(&c->send_lock);
}

static void say_join(struct conn *c) {
    char text[2 * TEXT];
    int i, size = snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%d\n%d\n%d\n%d\n%d\n%d", app_id, c->token, c->channel,
                           c->user, c->role, c->rate, c->channels, c->auto_subscribe, c->profile, c->scenario);
    send_locked(c, 'J', service_scenario, 0, text, (size_t)size);
    if (c->all) send_locked(c, 'Y', 0, 0, NULL, 0);
    for (i = 0; i < SUBSCRIBED_MAX; i++) if (c->subscribed[i]) send_locked(c, 'S', c->subscribed[i], 0, NULL, 0);
    if (c->published) send_locked(c, 'P', 0, 0, NULL, 0);
}

/* --- callbacks, all in the connection's own thread ------------------------------------------------------------------ */

typedef void (*info_reason_fn)(void *, struct conn_info *, int);
typedef void (*info_fn)(void *, struct conn_info *);
typedef void (*text_fn)(void *, const char *);
typedef void (*text_int_fn)(void *, const char *, int);
typedef void (*bare_fn)(void *);
typedef void (*ints_fn)(void *, int, int);
typedef void (*error_fn)(void *, int, const char *);
typedef int (*frame_fn)(void *, const char *, const char *, struct audio_frame *);

static struct conn_info info_of(struct conn *c, int state) {
    return (struct conn_info){1, c->channel, state, c->user, (unsigned)strtoul(c->user, NULL, 10)};
}

static void *callback(struct conn *c, int index) { return c->conn_observer ? c->conn_observer[index] : NULL; }

static void state_changed(struct conn *c, int index, int state, int reason) {
    struct conn_info info = info_of(c, state);
    void *fn = callback(c, index);
    if (fn) ((info_reason_fn)fn)(c, &info, reason);
}

static void user_event(struct conn *c, int index, int uid, int reason) {
    char user[32];
    void *fn = callback(c, index);
    snprintf(user, sizeof user, "%u", (unsigned)uid);
    if (!fn) return;
    if (index == CONN_on_user_joined) ((text_fn)fn)(c, user);
    else ((text_int_fn)fn)(c, user, reason);
}

static void frame_came(struct conn *c, int uid, void *pcm, size_t size) {
    char user[32];
    struct audio_frame frame = {.bytes_per_sample = 2, .channels = c->channels, .samples_per_sec = c->rate,
                                .samples_per_channel = (int)(size / 2 / (size_t)c->channels), .buffer = pcm};
    void *fn = c->audio_observer ? c->audio_observer[AUDIO_on_playback_audio_frame_before_mixing] : NULL;
    snprintf(user, sizeof user, "%u", (unsigned)uid);
    if (fn) ((frame_fn)fn)(c, c->channel, user, &frame);
}

static void storm(struct conn *c, int count, int kind) {
    int i;
    int16_t silence[480 * 2] = {0};
    for (i = 0; i < count && !c->stop; i++) {
        if (kind == 0) user_event(c, CONN_on_user_joined, 1000 + i, 0);
        else if (kind == 1) frame_came(c, c->subscribed[0], silence, (size_t)(c->rate / 50 * c->channels));
        else { state_changed(c, CONN_on_reconnecting, 4, 2); state_changed(c, CONN_on_reconnected, 3, 15); }
    }
}

static void from_hub(struct conn *c, const struct head *h, char *data, size_t size) {
    void *fn;
    struct conn_info info;
    switch (h->kind) {
    case 'c': c->joined = 1; state_changed(c, c->was_joined ? CONN_on_reconnected : CONN_on_connected, 3, h->a);
              c->was_joined = 1; break;
    case 'd': c->joined = 0; state_changed(c, CONN_on_disconnected, 1, h->a); break;
    case 'f': c->joined = 0; state_changed(c, CONN_on_connection_failure, 5, h->a); break;
    case 'r': state_changed(c, CONN_on_reconnecting, 4, h->a); break;
    case 'R': state_changed(c, CONN_on_reconnected, 3, h->a); break;
    case 'l': info = info_of(c, 5); if ((fn = callback(c, CONN_on_connection_lost))) ((info_fn)fn)(c, &info); break;
    case 'w': if ((fn = callback(c, CONN_on_token_privilege_will_expire))) ((text_fn)fn)(c, c->token); break;
    case 'e': if ((fn = callback(c, CONN_on_token_privilege_did_expire))) ((bare_fn)fn)(c); break;
    case 'j': user_event(c, CONN_on_user_joined, h->a, 0); break;
    case 'q': user_event(c, CONN_on_user_left, h->a, h->b); break;
    case 'n': if ((fn = callback(c, CONN_on_change_role_failure))) ((ints_fn)fn)(c, h->a, h->b); break;
    case 'E': if ((fn = callback(c, CONN_on_error))) ((error_fn)fn)(c, h->a, ""); break;
    case 'a': frame_came(c, h->a, data, size); break;
    case 'p': c->push_error = h->a; c->pushes_to_fail = h->b; break;
    case 'h': c->hang_ms = h->a; break;
    case 't': storm(c, h->a, h->b); break;
    case 'x': signal(SIGSEGV, SIG_DFL); *(volatile int *)0 = 0; break;
    }
}

static void *reader(void *argument) {
    struct conn *c = argument;
    static __thread char buffer[DATAGRAM_MAX + 1];
    pthread_setname_np(pthread_self(), "agora-stub");
    while (!c->stop) {
        struct pollfd ready;
        ssize_t size;
        if (c->fd < 0) {
            int fd = hub_open();
            if (fd < 0) { usleep(RETRY_MS * 1000); continue; }
            pthread_mutex_lock(&c->send_lock);
            c->fd = fd;
            say_join(c);
            pthread_mutex_unlock(&c->send_lock);
        }
        ready = (struct pollfd){.fd = c->fd, .events = POLLIN};
        if (poll(&ready, 1, RETRY_MS) <= 0) continue;
        size = recv(c->fd, buffer, DATAGRAM_MAX, 0);
        pthread_mutex_lock(&c->call_lock);
        if (size >= (ssize_t)sizeof(struct head) && !c->stop)
            from_hub(c, (struct head *)buffer, buffer + sizeof(struct head), (size_t)size - sizeof(struct head));
        else if (size <= 0 && !c->stop && c->joined) {
            c->joined = 0;
            state_changed(c, CONN_on_reconnecting, 4, 2);
        }
        pthread_mutex_unlock(&c->call_lock);
        if (size <= 0) {
            pthread_mutex_lock(&c->send_lock);
            close(c->fd);
            c->fd = -1;
            pthread_mutex_unlock(&c->send_lock);
            usleep(RETRY_MS * 1000);
        }
    }
    return NULL;
}

/* --- the service ---------------------------------------------------------------------------------------------------- */

void *agora_service_create(void) { return &dummy; }

int agora_service_initialize(void *service, const struct service_config *config) {
    struct head head = {.kind = 'I'};
    struct pollfd ready;
    int fd, code = 0;
    (void)service;
    snprintf(app_id, sizeof app_id, "%s", config->app_id ? config->app_id : "");
    service_scenario = config->audio_scenario;
    fd = hub_open(); /* the real library needs no network here either: no hub, no complaint */
    if (fd < 0) return 0;
    ready = (struct pollfd){.fd = fd, .events = POLLIN};
    if (send(fd, &head, sizeof head, MSG_NOSIGNAL) > 0 && poll(&ready, 1, 1000) > 0
        && recv(fd, &head, sizeof head, 0) == (ssize_t)sizeof head) code = head.a;
    close(fd);
    return code;
}

int agora_service_release(void *service) { (void)service; return 0; }
void *agora_service_create_media_node_factory(void *service) { (void)service; return &dummy; }
void *agora_service_get_agora_parameter(void *service) { (void)service; return &dummy; }
void *agora_rtc_conn_get_agora_parameter(void *conn) { (void)conn; return &dummy; }
void *agora_media_node_factory_create_audio_pcm_data_sender(void *factory) {
    (void)factory;
    return calloc(1, sizeof(struct sender));
}
void *agora_service_create_custom_audio_track_pcm(void *service, void *sender) { (void)service; return sender; }

/* --- a connection --------------------------------------------------------------------------------------------------- */

void *agora_rtc_conn_create(void *service, const int *config) {
    struct conn *c = calloc(1, sizeof *c);
    pthread_mutexattr_t recursive;
    (void)service;
    c->fd = -1;
    c->auto_subscribe = config[0];
    c->role = config[11];
    c->profile = config[12];
    c->rate = 16000;
    c->channels = 1;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&c->send_lock, &recursive);
    pthread_mutex_init(&c->call_lock, &recursive);
    return c;
}

void *agora_rtc_conn_get_local_user(void *conn) { return conn; }

int agora_rtc_conn_connect(struct conn *c, const char *token, const char *channel, const char *user) {
    if (c->running) return -8; /* already in a channel */
    snprintf(c->token, sizeof c->token, "%s", token);
    snprintf(c->channel, sizeof c->channel, "%s", channel);
    snprintf(c->user, sizeof c->user, "%s", user);
    c->running = 1;
    return pthread_create(&c->thread, NULL, reader, c) ? -1 : 0;
}

int agora_rtc_conn_disconnect(struct conn *c) {
    tell(c, 'L', 0, 0, NULL, 0);
    return 0;
}

void agora_rtc_conn_destroy(struct conn *c) {
    if (!c) return;
    c->stop = 1;
    if (c->running) pthread_join(c->thread, NULL);
    if (c->fd >= 0) close(c->fd);
    free(c);
}

int agora_rtc_conn_renew_token(struct conn *c, const char *token) {
    pthread_mutex_lock(&c->send_lock);
    snprintf(c->token, sizeof c->token, "%s", token);
    send_locked(c, 'N', 0, 0, token, strlen(token));
    pthread_mutex_unlock(&c->send_lock);
    return 0;
}

static void observe(struct conn *c, void ***slot, void **observer) {
    pthread_mutex_lock(&c->call_lock);
    *slot = observer;
    pthread_mutex_unlock(&c->call_lock);
}

int agora_rtc_conn_register_observer(struct conn *c, void **o) { observe(c, &c->conn_observer, o); return 0; }
int agora_rtc_conn_unregister_observer(struct conn *c) { observe(c, &c->conn_observer, NULL); return 0; }
int agora_local_user_register_observer(struct conn *c, void **o) { observe(c, &c->user_observer, o); return 0; }
int agora_local_user_unregister_observer(struct conn *c) { observe(c, &c->user_observer, NULL); return 0; }
int agora_local_user_register_audio_frame_observer(struct conn *c, void **o) {
    observe(c, &c->audio_observer, o);
    return 0;
}
int agora_local_user_unregister_audio_frame_observer(struct conn *c) {
    observe(c, &c->audio_observer, NULL);
    return 0;
}

/* --- the local user ------------------------------------------------------------------------------------------------- */

int agora_local_user_set_user_role(struct conn *c, int role) {
    pthread_mutex_lock(&c->send_lock);
    c->role = role;
    send_locked(c, 'O', role, 0, NULL, 0);
    pthread_mutex_unlock(&c->send_lock);
    return 0;
}

int agora_local_user_get_user_role(struct conn *c) { return c->role; }
int agora_local_user_set_audio_scenario(struct conn *c, int scenario) { c->scenario = scenario; return 0; }

int agora_local_user_set_playback_audio_frame_before_mixing_parameters(struct conn *c, int channels, int rate) {
    c->channels = channels;
    c->rate = rate;
    return 0;
}

static int subscribe(struct conn *c, const char *user, int on) {
    int i, uid = (int)(unsigned)strtoul(user, NULL, 10);
    pthread_mutex_lock(&c->send_lock);
    for (i = 0; i < SUBSCRIBED_MAX; i++) if (c->subscribed[i] == uid) c->subscribed[i] = 0;
    for (i = 0; on && i < SUBSCRIBED_MAX; i++) if (!c->subscribed[i]) { c->subscribed[i] = uid; break; }
    send_locked(c, on ? 'S' : 's', uid, 0, NULL, 0);
    pthread_mutex_unlock(&c->send_lock);
    return 0;
}

int agora_local_user_subscribe_audio(struct conn *c, const char *user) { return subscribe(c, user, 1); }
int agora_local_user_unsubscribe_audio(struct conn *c, const char *user) { return subscribe(c, user, 0); }

static int subscribe_all(struct conn *c, int on) {
    pthread_mutex_lock(&c->send_lock);
    c->all = on;
    memset(c->subscribed, 0, sizeof c->subscribed);
    send_locked(c, on ? 'Y' : 'y', 0, 0, NULL, 0);
    pthread_mutex_unlock(&c->send_lock);
    return 0;
}

int agora_local_user_subscribe_all_audio(struct conn *c) { return subscribe_all(c, 1); }
int agora_local_user_unsubscribe_all_audio(struct conn *c) { return subscribe_all(c, 0); }

int agora_local_user_publish_audio(struct conn *c, struct sender *track) {
    pthread_mutex_lock(&c->send_lock);
    track->conn = c;
    c->published = 1;
    send_locked(c, 'P', 0, 0, NULL, 0);
    pthread_mutex_unlock(&c->send_lock);
    return 0;
}

int agora_local_user_unpublish_audio(struct conn *c, struct sender *track) {
    pthread_mutex_lock(&c->send_lock);
    track->conn = NULL;
    if (c->published) send_locked(c, 'U', 0, 0, NULL, 0);
    c->published = 0;
    pthread_mutex_unlock(&c->send_lock);
    return 0;
}

int agora_local_audio_track_clear_sender_buffer(struct sender *track) {
    if (track->conn) tell(track->conn, 'C', 0, 0, NULL, 0);
    return 0;
}

int agora_audio_pcm_data_sender_send(struct sender *sender, const void *data, uint32_t timestamp, int64_t pts,
                                     uint32_t samples, uint32_t bytes_per_sample, uint32_t channels, uint32_t rate) {
    struct conn *c = sender->conn;
    (void)timestamp;
    (void)pts;
    if (!c) return 0;
    if (c->hang_ms > 0) { int ms = c->hang_ms; c->hang_ms = 0; usleep((unsigned)ms * 1000); }
    if (c->pushes_to_fail > 0) { c->pushes_to_fail--; return c->push_error; }
    tell(c, 'A', (int)rate, (int)channels, data, (size_t)samples * bytes_per_sample * channels);
    return 0;
}

void agora_local_audio_track_destroy(void *track) { (void)track; }
void agora_audio_pcm_data_sender_destroy(void *sender) { free(sender); }
