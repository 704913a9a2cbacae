import { decode, isBlurhashValid } from 'blurhash';
import { Component, createRef } from 'preact';

const SIDE = 32;

/** A blurred preview until the picture loads. Drawn on a canvas, which no content security policy of a page blocks. */
export class Blur extends Component<{ readonly hash: string }> {
  readonly #canvas = createRef<HTMLCanvasElement>();

  override componentDidMount(): void {
    const { hash } = this.props;
    const context = this.#canvas.current?.getContext('2d');
    if (!context || !isBlurhashValid(hash).result) return;
    context.putImageData(new ImageData(new Uint8ClampedArray(decode(hash, SIDE, SIDE)), SIDE), 0, 0);
  }

  override shouldComponentUpdate(): boolean {
    return false;
  }

  override render() {
    return <canvas width={SIDE} height={SIDE} ref={this.#canvas} />;
  }
}
