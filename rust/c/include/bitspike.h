/* Trained networks of bitspike, step by step. Generated from rust/c/src by its test. */

#ifndef BITSPIKE_H
#define BITSPIKE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 A network that was read from a file.
 */
typedef struct bitspike_network bitspike_network;

/*
 What a network keeps between steps.
 */
typedef struct bitspike_state bitspike_state;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Reads a network file. NULL if anything in it is not as it must be: `bitspike_error` says what. The
 bytes are not needed afterwards.
 */
bitspike_network *bitspike_load(const uint8_t *bytes, size_t length);

/*
 Frees a network; NULL is nothing to free.
 */
void bitspike_free(bitspike_network *network);

/*
 A state for so many samples, as before the first step; NULL if there is no such state.
 */
bitspike_state *bitspike_state_new(const bitspike_network *network, size_t samples);

/*
 Frees a state; NULL is nothing to free.
 */
void bitspike_state_free(bitspike_state *state);

/*
 Sets a state back to before the first step.
 */
void bitspike_state_reset(bitspike_state *state);

/*
 Copies all that a state holds to `out`, if `capacity` suffices. Returns how many bytes it takes; 0
 if it is refused.
 */
size_t bitspike_state_save(const bitspike_network *network,
                           const bitspike_state *state,
                           uint8_t *out,
                           size_t capacity);

/*
 Sets a state to what was saved of one of the same network. False if it is refused.
 */
bool bitspike_state_restore(const bitspike_network *network,
                            bitspike_state *state,
                            const uint8_t *bytes,
                            size_t length);

/*
 Runs one step of inputs that fire: input n of sample b is b * N + n. False if it is refused.
 */
bool bitspike_step_events(const bitspike_network *network,
                          bitspike_state *state,
                          const uint32_t *events,
                          size_t count);

/*
 Runs one step of spikes as bits: for each sample a row of whole words, input 0 in the lowest bit of
 the first. False if it is refused.
 */
bool bitspike_step_words(const bitspike_network *network,
                         bitspike_state *state,
                         const uint64_t *words,
                         size_t count);

/*
 Runs one step of numbers, a row for each sample. False if it is refused.
 */
bool bitspike_step_dense(const bitspike_network *network,
                         bitspike_state *state,
                         const float *numbers,
                         size_t count);

/*
 Copies the spikes of a value, as rows of words, to `out`, if `capacity` suffices. Returns how many
 words there are; 0 if there is no such value.
 */
size_t bitspike_spikes(const bitspike_network *network,
                       const bitspike_state *state,
                       const char *name,
                       uint64_t *out,
                       size_t capacity);

/*
 Copies the numbers of a value, an output or a state, of a sample to `out`, if `capacity` suffices.
 Returns how many there are; 0 if there is no such value.
 */
size_t bitspike_numbers(const bitspike_network *network,
                        const bitspike_state *state,
                        const char *name,
                        size_t sample,
                        float *out,
                        size_t capacity);

/*
 Copies the integers of a value, an output or a state, of a sample to `out`, if `capacity` suffices.
 Returns how many there are; 0 if there is no such value.
 */
size_t bitspike_integers(const bitspike_network *network,
                         const bitspike_state *state,
                         const char *name,
                         size_t sample,
                         int32_t *out,
                         size_t capacity);

/*
 Copies how often each neuron of an output of a sample has fired since the reset to `out`, if
 `capacity` suffices. Returns how many neurons there are; 0 if there is no such output.
 */
size_t bitspike_counts(const bitspike_network *network,
                       const bitspike_state *state,
                       const char *name,
                       size_t sample,
                       float *out,
                       size_t capacity);

/*
 Copies the message of the last error of this thread to `out`, ended by a zero, if `capacity`
 suffices. Returns how many bytes it takes.
 */
size_t bitspike_error(char *out, size_t capacity);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BITSPIKE_H */
