/*
 * Tests of proxy/shell/peer.c over one end of a socket pair, in a loop of its own: what is written
 * at once, what waits for the socket, what is dropped, and when the end is passed on.
 */
#define _POSIX_C_SOURCE 200809L

#include "peer.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 4 * 1024 * 1024 };

static uv_loop_t loop;
static struct peer peer;
static struct output output;
static int far_end;
static size_t num_received;
static size_t num_read;
static bool far_saw_end;

static void set_up(void)
{
    int ends[2];
    (void)signal(SIGPIPE, SIG_IGN); /* as proxy.c does */
    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0));
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    cr_assert(eq(int, uv_tcp_init(&loop, &peer.tcp), 0));
    cr_assert(eq(int, uv_tcp_open(&peer.tcp, ends[0]), 0));
    peer.state = PEER_OPEN;
    far_end = ends[1];
}

static void on_close(uv_handle_t *handle)
{
    (void)handle;
}

static void tear_down(void)
{
    peer_close(&peer, on_close);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0));
    (void)close(far_end);
    buf_cleanup(&peer.in_flight);
    output_cleanup(&output);
}

TestSuite(peer, .init = set_up, .fini = tear_down);

static void on_write(uv_write_t *request, int status)
{
    (void)request;
    peer_written(&peer, status);
    peer_flush(&peer, &output, on_write);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out_buf)
{
    static char room[4096];
    (void)handle;
    (void)suggested;
    *out_buf = uv_buf_init(room, sizeof(room));
}

static void on_read(uv_stream_t *stream, ssize_t num, const uv_buf_t *buf)
{
    (void)stream;
    (void)buf;
    if (num > 0) {
        num_read += (size_t)num;
    } else if (num < 0) {
        peer.got_eof = num == UV_EOF;
        peer_read(&peer, false, on_alloc, on_read);
    }
}

/* Takes what has come at the far end; without waiting. */
static void receive(void)
{
    static char room[65536];
    ssize_t num = recv(far_end, room, sizeof(room), MSG_DONTWAIT);
    while (num > 0) {
        num_received += (size_t)num;
        num = recv(far_end, room, sizeof(room), MSG_DONTWAIT);
    }
    far_saw_end = num == 0;
}

static void run_until(size_t wanted)
{
    for (int turns = 0; turns < 10000 && num_received < wanted; turns++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        receive();
    }
}

Test(peer, writes_at_once)
{
    buf_add_text(&output.kept, "hello");
    peer_flush(&peer, &output, on_write);
    cr_expect(not(peer.writing));
    cr_expect(eq(sz, output_pending(&output), 0));
    receive();
    cr_expect(eq(sz, num_received, 5));
}

Test(peer, keeps_one_write_in_flight)
{
    char *many = calloc(1, MANY);
    cr_assert(ne(ptr, many, NULL));
    buf_add(&output.kept, many, MANY);
    free(many);
    peer_flush(&peer, &output, on_write);
    cr_expect(peer.writing);
    cr_expect(eq(sz, output_pending(&output), 0)); /* the write owns them */
    buf_add_text(&output.kept, "more");
    peer.end_wanted = true;
    peer_flush(&peer, &output, on_write);
    cr_expect(eq(sz, output_pending(&output), 4));
    cr_expect(not(peer.end_sent));
    run_until(MANY + 4);
    cr_expect(eq(sz, num_received, MANY + 4));
    cr_expect(peer.end_sent);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    receive();
    cr_expect(far_saw_end);
}

Test(peer, drops_what_nobody_will_read)
{
    (void)close(far_end);
    far_end = -1;
    buf_add_text(&output.kept, "hello");
    peer_flush(&peer, &output, on_write);
    cr_expect(eq(int, peer.state, PEER_BROKEN));
    cr_expect(eq(sz, output_pending(&output), 0));
    cr_expect(peer_is_finished(&peer));
    buf_add_text(&output.kept, "more");
    peer_flush(&peer, &output, on_write);
    cr_expect(eq(sz, output_pending(&output), 0));
}

Test(peer, keeps_what_waits_for_a_connection)
{
    peer.state = PEER_IDLE;
    buf_add_text(&output.kept, "hello");
    peer_flush(&peer, &output, on_write);
    cr_expect(eq(sz, output_pending(&output), 5));
    peer.state = PEER_OPEN;
    peer_flush(&peer, &output, on_write);
    cr_expect(eq(sz, output_pending(&output), 0));
}

Test(peer, reads_when_wanted)
{
    cr_assert(eq(int, (int)write(far_end, "abc", 3), 3));
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    cr_expect(eq(sz, num_read, 0));
    peer_read(&peer, true, on_alloc, on_read);
    peer_read(&peer, true, on_alloc, on_read);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    cr_expect(eq(sz, num_read, 3));
    peer_read(&peer, false, on_alloc, on_read);
    cr_assert(eq(int, (int)write(far_end, "abc", 3), 3));
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    cr_expect(eq(sz, num_read, 3));
    cr_expect(not(peer.reading));
}

Test(peer, is_finished_when_both_ends_have_ended)
{
    cr_expect(not(peer_is_finished(&peer)));
    peer.end_wanted = true;
    peer_flush(&peer, &output, on_write);
    cr_expect(peer.end_sent);
    cr_expect(not(peer_is_finished(&peer)));
    cr_assert(eq(int, shutdown(far_end, SHUT_WR), 0));
    peer_read(&peer, true, on_alloc, on_read);
    for (int turns = 0; turns < 100 && !peer.got_eof; turns++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    cr_expect(peer_is_finished(&peer));
}
