const NAMESPACE = 'http://www.w3.org/2000/svg';

/** A picture of one path. */
export function svg(path: string): SVGSVGElement {
  const element = document.createElementNS(NAMESPACE, 'svg');
  element.setAttribute('viewBox', '0 0 24 24');
  element.ariaHidden = 'true';
  const line = document.createElementNS(NAMESPACE, 'path');
  line.setAttribute('d', path);
  element.append(line);
  return element;
}
