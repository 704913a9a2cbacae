export declare function withLiteralValues(site: string): string;
