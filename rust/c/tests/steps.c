/* Loads the network of the first argument, and prints what it computes at some steps. */

#include "bitspike.h"
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what) {
    char message[256] = "";
    bitspike_error(message, sizeof message);
    fprintf(stderr, "%s: %s\n", what, message);
    exit(1);
}

int main(int count, char **arguments) {
    unsigned char bytes[65536];
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (!file) fail("no file");
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);

    if (bitspike_load(bytes, length - 1)) fail("a broken file was read");
    bitspike_network *network = bitspike_load(bytes, length);
    if (!network) fail("load");
    bitspike_state *state = bitspike_state_new(network, 1);
    if (!state) fail("state");

    unsigned char saved[4096];
    size_t saved_length = 0;
    const uint32_t events[] = {0, 1, 1};
    for (int step = 0; step < 3; step++) {
        if (step == 2) {
            saved_length = bitspike_state_save(network, state, saved, sizeof saved);
            if (!saved_length || saved_length > sizeof saved) fail("save");
        }
        if (!bitspike_step_events(network, state, events + step, step == 2 ? 0 : 2)) fail("step");
        uint64_t spikes = 0;
        float membrane = 0, fired = 0;
        if (bitspike_spikes(network, state, "y", &spikes, 1) != 1) fail("spikes");
        if (bitspike_numbers(network, state, "mem", 0, &membrane, 1) != 1) fail("numbers");
        if (bitspike_counts(network, state, "y", 0, &fired, 1) != 1) fail("counts");
        printf("%llu %g %g\n", (unsigned long long)spikes, membrane, fired);
    }
    if (!bitspike_state_restore(network, state, saved, saved_length)) fail("restore");
    const float silent[] = {0, 0};
    if (!bitspike_step_dense(network, state, silent, 2)) fail("dense step");
    float membrane = 0;
    bitspike_numbers(network, state, "mem", 0, &membrane, 1);
    printf("restored %g\n", membrane);
    bitspike_state_reset(state);
    const uint64_t word = 1;
    if (!bitspike_step_words(network, state, &word, 1)) fail("words");
    bitspike_numbers(network, state, "mem", 0, &membrane, 1);
    printf("reset %g\n", membrane);

    const uint32_t beyond = 2;
    if (bitspike_step_events(network, state, &beyond, 1)) fail("an event beyond the inputs");
    if (bitspike_step_events(network, NULL, events, 1)) fail("no state");
    if (bitspike_numbers(network, state, "none", 0, &membrane, 1)) fail("no such value");
    bitspike_state_free(state);
    bitspike_free(network);
    return 0;
}
