# docker build -t express-bits-upload .
# docker run -p 8080:8080 -v bits-uploads:/uploads express-bits-upload
# docker run -p 8080:8080 -v bits-uploads:/uploads express-bits-upload --list --live --max-upload-size 10GB
# docker run -p 443:8080 -v bits-uploads:/uploads -v /etc/bits:/etc/bits:ro express-bits-upload \
#   --htpasswd /etc/bits/htpasswd --tls-cert /etc/bits/cert.pem --tls-key /etc/bits/key.pem
# docker build --target fleet -t express-bits-upload-fleet .
# docker run -p 8080:8080 -e AWS_REGION -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY express-bits-upload-fleet \
#   --s3-bucket uploads --redis redis://redis.example.com:6379
#
# The files in /etc/bits have to be readable for user 1000, as whom it runs. Stop it with "docker stop --time 45": running
# fragments may take 30 seconds to finish (--grace).

FROM node:22-alpine AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit
COPY tsconfig.json tsup.config.ts ./
COPY types types
COPY lib lib
RUN npm run build

# The dependencies, and the peer Express, in the versions of the lock file.
FROM build AS modules
RUN npm pkg delete devDependencies && npm prune --ignore-scripts --no-audit

# In addition what --s3-bucket and --redis need.
FROM build AS fleet-modules
RUN npm pkg set "dependencies.@aws-sdk/client-s3=3" "dependencies.redis=6" && npm pkg delete devDependencies && \
  npm prune --ignore-scripts --no-audit

FROM node:22-alpine AS runtime
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/dist dist
EXPOSE 8080
# Only 503, no answer and a closed port are unhealthy: with TLS, a plain request fails, and the server is up all the same.
# With another --port, replace it: docker run --health-cmd "..."
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health', { signal: AbortSignal.timeout(8000) }).then((r) => process.exit(r.status === 503 ? 1 : 0), (e) => process.exit(e.name === 'TimeoutError' || e.cause?.code === 'ECONNREFUSED' ? 1 : 0))"]

# Files in S3 and sessions in Redis: nothing is kept in the container.
FROM runtime AS fleet
COPY --from=fleet-modules /app/node_modules node_modules
USER 1000
ENTRYPOINT ["node", "/app/dist/cli.js", "serve", "--host", "0.0.0.0", "--health"]

# Files in a directory. The last stage is the one that is built by default.
FROM runtime
COPY --from=modules /app/node_modules node_modules
RUN install -d -o node -g node /uploads
# The user node, by its number: Kubernetes believes only that not to be root (runAsNonRoot).
USER 1000
VOLUME /uploads
ENTRYPOINT ["node", "/app/dist/cli.js", "serve", "/uploads", "--host", "0.0.0.0", "--health"]
