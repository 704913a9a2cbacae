import { Component, createRef } from 'preact';

/** The shorter side in pixels: twice the shown size, for screens with a high density. */
const SIDE = 184;

interface Props {
  readonly source: Blob;
}

/** Whether a file of this type can have a thumbnail. An SVG picture is sent as a file. */
export const hasThumbnail = (type: string) => type.startsWith('image/') && type !== 'image/svg+xml';

/** A picture that this browser has. Drawn on a canvas, which no content security policy of a page blocks. */
export class Thumbnail extends Component<Props> {
  readonly #canvas = createRef<HTMLCanvasElement>();

  override componentDidMount(): void {
    void this.#draw();
  }

  override shouldComponentUpdate(next: Props): boolean {
    return next.source !== this.props.source;
  }

  override componentDidUpdate(): void {
    void this.#draw();
  }

  override render() {
    return <canvas ref={this.#canvas} />;
  }

  async #draw(): Promise<void> {
    const picture = await createImageBitmap(this.props.source).catch(() => undefined);
    const canvas = this.#canvas.current;
    if (canvas === null || picture === undefined) return;
    const scale = SIDE / Math.min(picture.width, picture.height);
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
  }
}
