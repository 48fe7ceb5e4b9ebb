/** A moment as the API writes it: ISO 8601 UTC, whole seconds without a fraction (`2025-10-08T19:24:31Z`). */
export function presentTime(time: Date | string): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

/** The same for a moment that may not be known. */
export function presentTimeOrNull(time: Date | string | null): string | null {
  return time === null ? null : presentTime(time);
}
