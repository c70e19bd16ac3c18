# A static executable in an otherwise empty image, without a shell and not as root.
#
#   docker build -t apc-mcp .
#   docker run --rm -i -e APC_DOMAIN -e APC_API_TOKEN -v apc-mcp-keys:/keys apc-mcp
#
# Settings are variables, and nothing is built in: the token comes from the caller's environment, or from a file that is
# mounted and named by APC_API_TOKEN_FILE.

# 1.95 or newer: see rust-version in Cargo.toml. Alpine's Rust links statically against musl.
ARG RUST_VERSION=1.95
FROM rust:${RUST_VERSION}-alpine AS build
# ring has C and assembler in it.
RUN apk add --no-cache ca-certificates gcc musl-dev
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin apc-mcp \
    && install -D target/release/apc-mcp /image/usr/local/bin/apc-mcp \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -D -m 644 LICENSE /image/usr/share/doc/apc-mcp/LICENSE \
    && install -d -m 1777 /image/tmp \
    && install -d -m 700 -o 65532 -g 65532 /image/keys /image/home/apc-mcp

FROM scratch
COPY --from=build /image/ /
# A number, so that orchestrators can tell that it is not root.
USER 65532:65532
ENV HOME=/home/apc-mcp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    APC_KEY_DIR=/keys
# A new named volume takes over this directory's owner and mode. Of a directory of the host, the caller has to be the owner:
# --user "$(id -u):$(id -g)" -v "$HOME/apc-keys:/keys"
VOLUME /keys
LABEL org.opencontainers.image.title="apc-mcp" \
      org.opencontainers.image.description="MCP server for the service accounts of Astro Private Cloud" \
      org.opencontainers.image.licenses="Apache-2.0"
ENTRYPOINT ["/usr/local/bin/apc-mcp"]
