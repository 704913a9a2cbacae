import type { SessionApplication } from '../application.ts';

export const simplesamlphp: SessionApplication = {
  kind: 'simplesamlphp',
  title: 'SimpleSAMLphp',
  options: {
    cookieName: 'SimpleSAML',
    userId: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.uid.0',
    userName: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.displayName.0',
  },
};
