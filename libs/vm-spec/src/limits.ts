/** Real documents are below 100 KiB; an export of a whole site may be larger. */
export const maxDocumentBytes = 8 * 1024 * 1024;
/** Nesting of elements, objects and lists: real ones stay below 20. */
export const maxDepth = 64;
/** Elements, attributes, members and entries of one document. */
export const maxNodes = 500_000;
/** As in the stored specification (`vmSpecSchema`). */
export const maxDisks = 1024;
/** As in the stored specification. */
export const maxNics = 256;
/** As in the stored specification. */
export const maxDevices = 256;
/** Unknown fields that are told by name. */
export const maxUnknownFields = 100;
/** Tags that are kept. */
export const maxTags = 256;
