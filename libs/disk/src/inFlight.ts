/** Counts work under way. Danger: a descriptor that is closed too early may by then belong to another file. */
export class InFlight {
  #count = 0;
  #settled: PromiseWithResolvers<null> | null = null;

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    this.#settled?.resolve(null);
    this.#settled = null;
  }

  /** Resolves when all that has begun has ended. */
  async settle(): Promise<void> {
    while (this.#count > 0) {
      this.#settled ??= Promise.withResolvers<null>();
      await this.#settled.promise;
    }
  }
}
