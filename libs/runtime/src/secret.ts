import { inspect } from 'node:util';

const shown = '[secret]';

/** A value that prints as `[secret]` wherever it is logged, serialised or inspected; `reveal()` is the only way in. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The plain text. Danger: never put the result into a log field, an argument array or a row. */
  reveal(): string {
    return this.#value;
  }

  toJSON(): string {
    return shown;
  }

  toString(): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
