import type { Finding, PlatformId, VmSpec } from '@ascend/domain';

/** Metadata of a VM as it was found: a file beside a backup, or what an operator sent. Hostile input. */
export interface SpecDocument {
  /** File name or another label, for messages. */
  readonly name: string;
  readonly text: string;
}

/** What a reader made of a document. */
export interface SpecReading {
  /** null = nothing could be made of it; a `blocked` finding tells why. */
  readonly spec: VmSpec | null;
  /** Warnings about values that were wrong, missing or changed on the way; `blocked` only where `spec` is null. */
  readonly findings: readonly Finding[];
  /** Paths of fields that the reader does not know, e.g. `domain.devices.hostdev[0].alias.@name`; at most `maxUnknownFields`. */
  readonly unknownFields: readonly string[];
}

/** Reads one format of VM metadata. Pure; never throws, whatever the document holds. */
export interface SpecReader {
  /** Name of the format, e.g. `ovf`. */
  readonly format: string;
  /** The platform that writes it; null = several do. */
  readonly platform: PlatformId | null;
  /**
   * What in the document shows that it is of this format, in words; null = it is another one. Looks at the beginning and at names of
   * fields only, so that a broken document is recognised too.
   */
  recognise(document: SpecDocument): string | null;
  /** `selector`: which VM of a document that holds several, by name or id; null = the only or first one. */
  read(document: SpecDocument, selector: string | null): SpecReading;
}
