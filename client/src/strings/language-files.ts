/** Each language is one file, which is loaded only where it is shown. */
export const files: Record<string, () => Promise<{ default: Record<string, string> }>> = {
  ar: () => import('./languages/ar.json'),
  de: () => import('./languages/de.json'),
  en: () => import('./languages/en.json'),
  es: () => import('./languages/es.json'),
  fr: () => import('./languages/fr.json'),
  he: () => import('./languages/he.json'),
  it: () => import('./languages/it.json'),
  ja: () => import('./languages/ja.json'),
  nl: () => import('./languages/nl.json'),
  pl: () => import('./languages/pl.json'),
  'pt-BR': () => import('./languages/pt-BR.json'),
  ru: () => import('./languages/ru.json'),
  tr: () => import('./languages/tr.json'),
  uk: () => import('./languages/uk.json'),
  'zh-Hans': () => import('./languages/zh-Hans.json'),
};
