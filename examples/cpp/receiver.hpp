// A small HTTP server for the example and the tests: the receiver's side of a webhook. It answers activation
// challenges, and keeps the deliveries that come, unverified. One request on one connection at a time.

#ifndef HOOKBOX_EXAMPLE_RECEIVER_HPP
#define HOOKBOX_EXAMPLE_RECEIVER_HPP

#include <hookbox.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <strings.h>
#include <thread>

/// A delivery as it came.
struct Delivered {
    std::vector<hookbox::Header> headers = {};
    std::string body = {};
};

class Receiver {
  public:
    /// Listens on a free port of 127.0.0.1.
    explicit Receiver(std::string verification_token) : token_(std::move(verification_token)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t bytes = sizeof address;
        if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr *>(&address), bytes) != 0 ||
            ::listen(listener_, 64) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr *>(&address), &bytes) != 0) {
            std::perror("the receiver cannot listen");
            std::exit(1);
        }
        url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/hooks";
        thread_ = std::thread([this] { serve(); });
    }

    Receiver(const Receiver &) = delete;
    Receiver &operator=(const Receiver &) = delete;

    ~Receiver() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }

    /// Where it listens.
    const std::string &url() const { return url_; }

    /// Takes the next delivery; none when no one comes within 20 seconds.
    std::optional<Delivered> next() {
        std::unique_lock<std::mutex> lock(mutex_);
        if (!came_.wait_for(lock, std::chrono::seconds(20), [this] { return taken_ < deliveries_.size(); })) {
            return std::nullopt;
        }
        return deliveries_[taken_++];
    }

  private:
    void serve() {
        for (;;) {
            int connection = ::accept(listener_, nullptr, nullptr);
            if (connection < 0) {
                return; // The destructor shut the listener down.
            }
            timeval patience = {10, 0};
            ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            answer(connection);
            ::close(connection);
        }
    }

    void answer(int connection) {
        std::string head = read_until(connection, "\r\n\r\n");
        std::size_t end = head.find("\r\n\r\n");
        if (end == std::string::npos) {
            return; // It went away.
        }
        Delivered delivered;
        delivered.body = head.substr(end + 4);
        std::size_t wanted = 0;
        for (std::size_t line = head.find("\r\n") + 2; line < end;) {
            std::size_t next = head.find("\r\n", line);
            std::size_t colon = head.find(':', line);
            if (colon < next) {
                std::size_t value = head.find_first_not_of(' ', colon + 1);
                delivered.headers.push_back({head.substr(line, colon - line), head.substr(value, next - value)});
                if (::strcasecmp(delivered.headers.back().name.c_str(), "content-length") == 0) {
                    wanted = std::strtoul(delivered.headers.back().value.c_str(), nullptr, 10);
                }
            }
            line = next + 2;
        }
        while (delivered.body.size() < wanted && read_some(connection, delivered.body)) {
        }
        std::size_t target = head.find(' ') + 1;
        std::size_t query = head.find('?', target);
        std::size_t target_end = head.find(' ', target);
        if (head.compare(0, 4, "GET ") != 0) {
            {
                std::lock_guard<std::mutex> lock(mutex_);
                deliveries_.push_back(std::move(delivered));
            }
            came_.notify_all();
            respond(connection, 200, "text/plain", "");
        } else if (query < target_end) {
            challenge(connection, head.substr(query + 1, target_end - query - 1));
        } else {
            respond(connection, 404, "text/plain", "");
        }
    }

    void challenge(int connection, const std::string &query) {
        hookbox::Result<hookbox::ChallengeAnswer> answer = hookbox::answer_challenge(query, token_);
        if (answer) {
            respond(connection, answer->http_status, answer->content_type, answer->body);
        } else {
            respond(connection, 401, "text/plain", answer.error().message);
        }
    }

    static bool read_some(int connection, std::string &into) {
        char some[4096];
        ssize_t bytes = ::recv(connection, some, sizeof some, 0);
        if (bytes > 0) {
            into.append(some, static_cast<std::size_t>(bytes));
        }
        return bytes > 0;
    }

    static std::string read_until(int connection, const char *end) {
        std::string text;
        while (text.find(end) == std::string::npos && text.size() < (1 << 16) && read_some(connection, text)) {
        }
        return text;
    }

    static void respond(int connection, int status, const std::string &type, const std::string &body) {
        std::string text = "HTTP/1.1 " + std::to_string(status) + " OK\r\nContent-Type: " + type +
                           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
                           body;
        std::string_view left = text;
        while (!left.empty()) {
            ssize_t sent = ::send(connection, left.data(), left.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return; // The sender has gone: its affair.
            }
            left.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    std::string token_;
    std::string url_;
    int listener_ = -1;
    std::mutex mutex_;
    std::condition_variable came_;
    std::vector<Delivered> deliveries_;
    std::size_t taken_ = 0;
    std::thread thread_;
};

#endif
