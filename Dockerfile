# Two images: the chat server, by `docker build .`, and the sample site, by `docker build --target site .`
# Both run as a user without rights on a root file system that they cannot write to: they write to /data and /tmp alone.

# Tags, since a digest is yours to choose: docs/operate/containers.md.
ARG DEBIAN_IMAGE=debian:12-slim
ARG NODE_IMAGE=node:26-slim

# The sample site under Apache.
FROM ${DEBIAN_IMAGE} AS site

RUN apt-get update \
    && apt-get install -y --no-install-recommends apache2 libapache2-mod-php php-memcached php-sqlite3 \
    && rm -rf /var/lib/apt/lists/*

# Port 8080, since only root may take 80. Upload progress would start a session before our handler is set.
RUN printf '%s\n' 'Listen 8080' > /etc/apache2/ports.conf \
    && printf '%s\n' \
        'ServerName localhost' \
        'ServerTokens Prod' \
        'ErrorLog /dev/stderr' \
        > /etc/apache2/conf-enabled/site.conf \
    && printf '%s\n' \
        '<VirtualHost *:8080>' \
        '    DocumentRoot /srv/php-app/public' \
        '    <Directory /srv/php-app/public>' \
        '        Require all granted' \
        '        FallbackResource /index.php' \
        '    </Directory>' \
        '    php_flag session.upload_progress.enabled Off' \
        '    CustomLog /dev/stdout combined' \
        '</VirtualHost>' > /etc/apache2/sites-available/000-default.conf \
    && a2disconf -q other-vhosts-access-log

COPY php /srv/php
COPY php-app /srv/php-app
RUN mkdir /data && chown www-data:www-data /data

# In place of /etc/apache2/envvars, whose folders only root may write to.
ENV APACHE_RUN_USER=www-data APACHE_RUN_GROUP=www-data APACHE_LOG_DIR=/tmp \
    APACHE_RUN_DIR=/tmp APACHE_LOCK_DIR=/tmp APACHE_PID_FILE=/tmp/apache2.pid
ENV APP_DATA=/data
LABEL org.opencontainers.image.title="php-session-chat-site" \
    org.opencontainers.image.description="The sample site of php-session-chat, whose users everybody knows" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT"
VOLUME /data
EXPOSE 8080
# www-data, by its number, so that Kubernetes sees that it is not root.
USER 33

# A page that needs PHP but neither memcached nor a session: /login answers 405 to GET.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
    CMD ["php", "-r", "@file_get_contents('http://127.0.0.1:8080/login'); exit(str_contains($http_response_header[0] ?? '', ' 405 ') ? 0 : 1);"]
# Apache lets requests that it has begun come to their end.
STOPSIGNAL SIGWINCH
CMD ["apache2", "-DFOREGROUND"]

# The bundles of the server and its browser client.
FROM ${NODE_IMAGE} AS build
WORKDIR /srv/chat
COPY package.json package-lock.json .npmrc ./
COPY packages ./packages
# The bundler's native part is one of the optional packages, so here they all come.
RUN npm ci --ignore-scripts
COPY tsconfig.json LICENSE ./
COPY scripts ./scripts
COPY server ./server
COPY client ./client
# The guide for owners of a new chat is made of it.
COPY docs/element.md ./docs/
RUN npx vite build client && node scripts/server-bundles.ts dist
# The optional packages are Node, which the image has, and native code for pictures, which are decoded by WebAssembly. The
# packages of the workspace are in the bundles.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && rm node_modules/php-session*

# The chat server.
FROM ${NODE_IMAGE} AS chat
ENV NODE_ENV=production
WORKDIR /srv/chat
COPY package.json LICENSE ./
COPY bin ./bin
COPY docs ./docs
COPY --from=build /srv/chat/node_modules ./node_modules
COPY --from=build /srv/chat/dist ./dist
COPY --from=build /srv/chat/client/dist ./dist/client/dist
RUN ln -s /srv/chat/bin/php-session-chat /usr/local/bin/php-session-chat
# The defaults of CHAT_HISTORY and CHAT_FILES are in the folder `data`, and a file of settings can set others.
RUN mkdir /data && chown node:node /data && ln -s /data data

# What Node has compiled: the account that runs the server fills it.
ENV NODE_COMPILE_CACHE=/var/cache/chat
COPY scripts ./scripts
RUN mkdir /var/cache/chat && chown node:node /var/cache/chat
# By its number, so that Kubernetes sees that it is not root.
USER 1000
RUN node scripts/compile-server.mjs

LABEL org.opencontainers.image.title="php-session-chat" \
    org.opencontainers.image.description="Real-time chat for PHP sites, with the sessions that their users already have" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT"
VOLUME /data
EXPOSE 7070
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.CHAT_PORT || 7070}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["php-session-chat", "run"]
