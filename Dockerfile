# Builds two images: the chat server with `docker build .`, and the sample site with `docker build --target site .`
# Both run as an unprivileged user, and work with a read-only root file system: they write only to /data and /tmp.

# Tags, because you choose the digests: docs/operate/containers.md.
ARG DEBIAN_IMAGE=debian:12-slim
ARG NODE_IMAGE=node:26-slim

# The sample site under Apache.
FROM ${DEBIAN_IMAGE} AS site

RUN apt-get update \
    && apt-get install -y --no-install-recommends apache2 libapache2-mod-php php-memcached php-sqlite3 \
    && rm -rf /var/lib/apt/lists/*

# Port 8080, because only root may use port 80. Upload progress would start a session before the handler is set.
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

# Replaces /etc/apache2/envvars, because only root may write to its folders.
ENV APACHE_RUN_USER=www-data APACHE_RUN_GROUP=www-data APACHE_LOG_DIR=/tmp \
    APACHE_RUN_DIR=/tmp APACHE_LOCK_DIR=/tmp APACHE_PID_FILE=/tmp/apache2.pid
ENV APP_DATA=/data
LABEL org.opencontainers.image.title="php-session-chat-site" \
    org.opencontainers.image.description="The sample site of php-session-chat, whose users everybody knows" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT"
VOLUME /data
EXPOSE 8080
# The numeric ID of www-data, so that Kubernetes can check that it is not root.
USER 33

# /login needs PHP, but neither memcached nor a session. It returns 405 for GET.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
    CMD ["php", "-r", "@file_get_contents('http://127.0.0.1:8080/login'); exit(str_contains($http_response_header[0] ?? '', ' 405 ') ? 0 : 1);"]
# With this signal, Apache completes the requests in progress.
STOPSIGNAL SIGWINCH
CMD ["apache2", "-DFOREGROUND"]

# The bundles of the server and its browser client.
FROM ${NODE_IMAGE} AS build
WORKDIR /srv/chat
COPY package.json package-lock.json .npmrc ./
COPY packages ./packages
# Includes optional packages, because the bundler's native code is one of them.
RUN npm ci --ignore-scripts
COPY tsconfig.json LICENSE ./
COPY scripts ./scripts
COPY server ./server
COPY client ./client
# The guide for owners of a new chat is built from this page.
COPY docs/element.md ./docs/
RUN npx vite build client && node scripts/server-bundles.ts dist
# Omits optional packages: Node, which the image already has, and native code for pictures, because WebAssembly decodes
# them. The bundles contain the packages of the workspace.
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
# The defaults of CHAT_HISTORY and CHAT_FILES are in the folder `data`. A settings file can change them.
RUN mkdir /data && chown node:node /data && ln -s /data data

# The cache of compiled code. The account that runs the server fills it.
ENV NODE_COMPILE_CACHE=/var/cache/chat
COPY scripts ./scripts
RUN mkdir /var/cache/chat && chown node:node /var/cache/chat
# A numeric ID, so that Kubernetes can check that it is not root.
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
