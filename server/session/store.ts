/** Above memcached's default item size; no session is that large, but a store may be made to hold one. */
export const maxSessionBytes = 1024 * 1024;

/** Where PHP keeps its sessions, for reading only. */
export interface SessionStore {
  /**
   * The bytes of one session as PHP wrote them, or null when the store says that there is none, or that its time
   * is over.
   * @throws FormatError when what is stored there cannot be unpacked
   * @throws StoreError when the store gives no answer, or one that does not belong to the question: that
   * says nothing about the session
   */
  get(id: string): Promise<Buffer | null>;
  close(): void;
}

/** The store gave no usable answer. Never to be taken for a session that does not exist. */
export class StoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
  }
}
