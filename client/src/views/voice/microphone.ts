/** A bit rate for speech. */
const BITS_A_SECOND = 32_000;
/** Interval at which the recorder delivers parts of the file. */
const PART_MS = 1000;

const types = ['audio/mp4;codecs=mp4a.40.2', 'audio/webm;codecs=opus', 'audio/mp4', 'audio/webm'];

/** Records from the microphone, and uses it only while recording. */
export class Microphone {
  readonly #sound = new AudioContext();
  readonly #meter = this.#sound.createAnalyser();
  readonly #recorder: MediaRecorder;
  readonly #samples = new Float32Array(this.#meter.fftSize);
  readonly #lost: () => void;
  #input: { readonly stream: MediaStream; readonly node: AudioNode } | undefined;

  /**
   * @param part - called with each part of the file
   * @param lost - called when the microphone is unplugged or taken by a call
   */
  constructor(part: (part: Blob) => void, lost: () => void) {
    this.#lost = lost;
    // The recorder hears this node and not the microphone. A pause can release the microphone, and recording continues
    // in the same file with any other.
    const target = this.#sound.createMediaStreamDestination();
    target.channelCount = 1;
    this.#meter.connect(target);
    const mimeType = types.find((type) => MediaRecorder.isTypeSupported(type));
    const options = { audioBitsPerSecond: BITS_A_SECOND, mimeType: mimeType || undefined };
    this.#recorder = new MediaRecorder(target.stream, options);
    this.#recorder.addEventListener('dataavailable', ({ data }) => data.size > 0 && part(data));
    this.#sound.addEventListener('statechange', () => {
      if (this.#input !== undefined && this.#sound.state !== 'running') this.#lost();
    });
  }

  /** MIME type of the file, without the codec. */
  get type(): string {
    return this.#recorder.mimeType.replace(/;.*/, '');
  }

  /**
   * Starts or resumes recording.
   *
   * @param wanted - whether the recording is still wanted after the user has allowed it
   * @returns false if it is no longer wanted
   */
  async open(wanted: () => boolean): Promise<boolean> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    try {
      if (!wanted()) return false;
      await this.#sound.resume();
      if (!wanted()) return false;
      const node = this.#sound.createMediaStreamSource(stream);
      node.connect(this.#meter);
      for (const track of stream.getTracks()) track.addEventListener('ended', this.#lost);
      this.#input = { stream, node };
      if (this.#recorder.state === 'paused') this.#recorder.resume();
      else this.#recorder.start(PART_MS);
      return true;
    } finally {
      if (this.#input?.stream !== stream) release(stream);
    }
  }

  /** The current loudness from 0 to 1, on a scale close to human hearing. */
  get level(): number {
    this.#meter.getFloatTimeDomainData(this.#samples);
    return Math.sqrt(
      Math.min(
        1,
        this.#samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0),
      ),
    );
  }

  /** Releases the microphone, and delivers the sound since the last part. */
  pause(): void {
    if (this.#recorder.state === 'recording') {
      this.#recorder.pause();
      this.#recorder.requestData();
    }
    this.#release();
  }

  /** Ends the recording. The file is complete when the promise resolves. */
  async stop(): Promise<void> {
    const isOn = this.#recorder.state !== 'inactive';
    const stopped = Promise.withResolvers<void>();
    if (isOn) {
      this.#recorder.addEventListener('stop', () => stopped.resolve());
      this.#recorder.stop();
    }
    this.#release();
    if (isOn) await stopped.promise;
    if (this.#sound.state !== 'closed') await this.#sound.close();
  }

  #release(): void {
    const input = this.#input;
    this.#input = undefined;
    input?.node.disconnect();
    if (input !== undefined) release(input.stream);
    if (this.#sound.state === 'running') void this.#sound.suspend();
  }
}

function release(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
